"""What the stages of a run left in the store, and what was known when it was made. Whatever is not there is empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.runs import run_view
from factory.store import journal
from factory.store.outputs import Store


@dataclass(frozen=True, slots=True)
class RunOutputs:
    """The read side of the store for one run. Nothing raises because something was not made, or was cleared."""

    home: Path
    run: run_view.RunView

    def find_stage_folder(self, stage: str) -> Path | None:
        """The output folder of a stage, or None when this run did not come so far, or `gc` took it."""
        view = self.run.stages.get(stage)
        if view is None or view.state not in (run_view.CACHED, run_view.DONE):
            return None
        place = Store(self.home).locate_output(stage, view.key)
        return place.output if place.is_complete else None

    def read_stage_json(self, stage: str) -> dict[str, Any]:
        """The JSON object that a stage wrote about itself, `train.json` of `train`."""
        loaded = self._read_output_json(stage, f"{stage.partition('[')[0]}.json")
        return loaded if isinstance(loaded, dict) else {}

    def _read_output_json(self, stage: str, name: str) -> Any:
        folder = self.find_stage_folder(stage)
        try:
            return json.loads((folder / name).read_text("utf-8")) if folder else None
        except (OSError, ValueError):
            return None

    def read_stage_lines(self, stage: str, name: str) -> Iterator[dict[str, Any]]:
        """The JSON objects of a JSONL file in a stage's output."""
        folder = self.find_stage_folder(stage)
        path = folder / name if folder else None
        if path is None or not path.is_file():
            return
        with path.open("rb") as file:
            for line in file:
                yield json.loads(line)

    def read_stage_meta(self, stage: str) -> dict[str, Any]:
        """What the engine knew when the stage was made, maybe by an earlier run: seconds, memory, that run's id."""
        view = self.run.stages.get(stage)
        try:
            return Store(self.home).locate_output(stage, view.key).read_meta() if view else {}
        except (OSError, ValueError):
            return {}

    def read_training_curve(self) -> list[tuple[int, float]]:
        """(step, loss) of training, from all runs that had a part in it: a resumed one began in another journal."""
        key = self.run.stages["train"].key if "train" in self.run.stages else ""
        points = dict(self.run.extract_curve())
        for path in journal.list_journals(self.home) if key else []:
            if run_view.extract_specialist_name(path.parent.name) == self.run.name and path.parent.name != self.run.id:
                other = run_view.read_run(path)
                same = "train" in other.stages and other.stages["train"].key == key
                points = {**dict(other.extract_curve()), **points} if same else points
        return sorted(points.items())

    def list_contenders(self) -> list[str]:
        """The contenders of the plan, in its order."""
        return [name[len("answer[") : -1] for name in self.run.stages if name.startswith("answer[")]
