"""The stage outputs of a run in the store, and their metadata. Missing outputs read as empty."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.events import Verdict
from factory.plan.seed_names import find_seed, name_training
from factory.plan.step_names import list_step_stages
from factory.runs import run_view
from factory.store import journal
from factory.store.integrity import list_file_damage, require_file_intact, require_intact
from factory.store.outputs import StageOutput, Store

GATE_FILE = "gate.json"
TRAINING_STAGE = "train"


def read_gate_file(output: Path) -> dict[str, Any]:
    """Read the verdict and its evidence from the output folder of a gate stage; {} if missing or damaged."""
    try:
        gate = json.loads((output / GATE_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return gate if isinstance(gate, dict) else {}


def read_intact_gate(output: StageOutput) -> dict[str, Any]:
    """Read the verdict and its evidence from the output of a gate stage; {} if missing or damaged."""
    return {} if list_file_damage(output, GATE_FILE) else read_gate_file(output.output)


def find_deciding_comparison(gate: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the deciding comparison: the strongest obstacle to shipping, else the best baseline; empty if none."""
    comparisons, margin = list(gate.get("comparisons", [])), gate.get("margin", 0.0)
    # Unless it ships, explain by a contender that tuned clearly fails to beat, else by an inconclusive one.
    beaten_by = [c for c in comparisons if c["high"] < margin]
    unsettled = [c for c in comparisons if c["low"] <= margin]
    best = [c for c in comparisons if c["baseline"] == gate.get("best_baseline")]
    obstacles = [] if Verdict.from_word(gate.get("verdict", "")).ships else beaten_by or unsettled
    # The best of them by its mean, not by its bounds: a wide interval makes no strong baseline.
    order = sorted(obstacles, key=lambda c: (float(c["difference"]), str(c["baseline"])))
    return next(iter([*order, *best, *comparisons]), {})


@dataclass(frozen=True, slots=True)
class RunOutputs:
    """Reads the store for one run. Outputs that are missing or deleted read as empty.

    Raises UnavailableError for a file that is not as it was committed: it must not be taken for what was judged.
    """

    home: Path
    run: run_view.RunView

    def find_stage_folder(self, stage: str) -> Path | None:
        """Return the output folder of a stage, or None if this run did not reach it, or `gc` deleted it."""
        output = self._find_output(stage)
        return output.output if output else None

    def find_intact_folder(self, stage: str) -> Path | None:
        """Return the output folder of a stage after a check of all its files, as for `find_stage_folder`."""
        output = self._find_output(stage)
        if output:
            require_intact(output)
        return output.output if output else None

    def _find_output(self, stage: str) -> StageOutput | None:
        view = self.run.stages.get(stage)
        if view is None or view.state not in (run_view.CACHED, run_view.DONE):
            return None
        output = Store(self.home).locate_output(stage, view.key)
        return output if output.is_complete else None

    def _find_file(self, stage: str, name: str) -> Path | None:
        """Return a file in the output of a stage after a check of it; None without the output."""
        output = self._find_output(stage)
        if output:
            require_file_intact(output, name)
        return output.output / name if output else None

    def read_stage_json(self, stage: str) -> dict[str, Any]:
        """Read the JSON object that a stage writes about itself, `train.json` for `train`."""
        file = self._find_file(stage, f"{stage.partition('[')[0]}.json")
        try:
            facts = json.loads(file.read_text("utf-8")) if file else {}
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def read_gate(self) -> dict[str, Any]:
        """Read the verdict and its evidence; {} if the run did not reach its gate, or `gc` deleted the output."""
        file = self._find_file(run_view.GATE_STAGE, GATE_FILE)
        return read_gate_file(file.parent) if file else {}

    def read_stage_lines(self, stage: str, name: str) -> Iterator[dict[str, Any]]:
        """Yield the JSON objects of a JSONL file in a stage's output."""
        path = self._find_file(stage, name)
        if path and path.is_file():
            with path.open("rb") as file:
                yield from map(json.loads, file)

    def read_stage_meta(self, stage: str) -> dict[str, Any]:
        """Read the engine's record of a stage, maybe from an earlier run: seconds, memory, and the id of that run."""
        view = self.run.stages.get(stage)
        try:
            return Store(self.home).locate_output(stage, view.key).read_meta() if view else {}
        except (OSError, ValueError):
            return {}

    def find_training_stage(self) -> str:
        """Return the stage that trained what is bundled: of several steps the last one, of several seeds the chosen."""
        if steps := self.list_training_steps():
            return steps[-1]
        bundled = self.read_stage_json("train").get("seeds", {}).get("bundled")
        return TRAINING_STAGE if bundled is None else name_training(int(bundled))

    def list_training_steps(self) -> list[str]:
        """Return the stages of the steps of a training course, in their order; [] for a single objective."""
        return list_step_stages(self.run.stages)

    def read_training_curve(self, stage: str = "") -> list[tuple[int, float]]:
        """Return (step, loss) of a training, by default that of the bundle, from the journals of all runs that trained
        it, as training may be resumed."""
        stage = stage or self.find_training_stage()
        key = self.run.stages[stage].key if stage in self.run.stages else ""
        points = dict(self.run.extract_curve(stage))
        for path in journal.list_journals(self.home) if key else []:
            if run_view.extract_specialist_name(path.parent.name) == self.run.name and path.parent.name != self.run.id:
                other = run_view.read_run(path)
                # Of several seeds each is a stage of its own, which has its key in a build with this seed alone too.
                same = [name for name, view in other.stages.items() if view.key == key]
                points = {**dict(other.extract_curve(same[0])), **points} if same else points
        return sorted(points.items())

    def list_contenders(self, seeds: bool = False) -> list[str]:
        """Return the contenders, in the order of the plan; with `seeds` also each seed of one that has several."""
        names = [name[len("answer[") : -1] for name in self.run.stages if name.startswith("answer[")]
        return [name for name in names if seeds or find_seed(name) is None]
