"""All of a portrait at once, and the evidence it is painted from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from factory.api import TRAIN, Row, Tables, Task
from factory.data.rows import open_rows, read_rows
from factory.plan.builder import Plan
from factory.review import RowContent
from factory.runs.profile import samples
from factory.runs.profile.distributions import Distribution, compute_distributions
from factory.runs.profile.funnel import FunnelStep, find_final_stage, read_funnel
from factory.runs.profile.samples import RowSample
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import CACHED, WAITING, RunView, StageView
from factory.store.outputs import Store


def find_planned_outputs(plan: Plan, home: Path) -> RunOutputs:
    """What a plan finds in the store, whichever run made it."""
    store = Store(home)
    stages = {
        stage.name: StageView(
            stage.name, stage.key, CACHED if store.locate_output(stage.name, stage.key).is_complete else WAITING
        )
        for stage in plan.stages
    }
    return RunOutputs(home, RunView(name=plan.name, task=plan.task, stages=stages))


@dataclass(frozen=True)
class DataProfile:
    """What was made of the rows so far; each part is read when it is asked for."""

    run_outputs: RunOutputs
    task: Task

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The rows that are learned from."""
        folder = self.run_outputs.find_stage_folder(find_final_stage(self.run_outputs))
        return open_rows(folder / f"{TRAIN}.jsonl") if folder else []

    @cached_property
    def content(self) -> RowContent:
        """Which columns are input, and which the answer."""
        return RowContent.from_task(self.task)

    @cached_property
    def tables(self) -> Tables:
        """The side tables, for what shows a row with its documents."""
        folder = self.run_outputs.find_stage_folder("gather")
        files = sorted((folder / "tables").glob("*.jsonl")) if folder else []
        return {file.stem: {row.id: row for row in read_rows(file)} for file in files}

    @cached_property
    def funnel(self) -> list[FunnelStep]:
        """The funnel."""
        return read_funnel(self.run_outputs)

    @cached_property
    def distributions(self) -> list[Distribution]:
        """How the rows that are learned from are spread."""
        return compute_distributions(self.rows, self.content)

    @cached_property
    def training_samples(self) -> list[RowSample]:
        """Some rows that stay."""
        return samples.sample_kept_rows(self.rows, self.task, self.tables)

    @cached_property
    def removal_samples(self) -> list[RowSample]:
        """Some rows that went, of every reason."""
        return samples.sample_dropped_rows(self.run_outputs, self.task, self.tables)

    @cached_property
    def leakage(self) -> Mapping[str, Any]:
        """The proof that nothing of the frozen rows is in training."""
        found: Mapping[str, Any] = self.run_outputs.read_stage_json("curate").get("leakage", {})
        return found

    def to_json(self) -> dict[str, Any]:
        """All of it, for a program."""
        curate, gather = self.run_outputs.read_stage_json("curate"), self.run_outputs.read_stage_json("gather")
        return {
            "name": self.run_outputs.run.name, "task": self.task.kind, "rows": len(self.rows),
            "sources": gather.get("sources", []),
            "splits": self.run_outputs.read_stage_json("freeze").get("counts", {}),
            "funnel": [step.to_json() for step in self.funnel], "leakage": dict(self.leakage),
            "tests": curate.get("tests", []), "review": self.run_outputs.read_stage_json("review"),
            "distributions": [spread.to_json() for spread in self.distributions],
            "samples": {"kept": [each.to_json() for each in self.training_samples],
                        "dropped": [each.to_json() for each in self.removal_samples]},
        }


def build_data_profile(plan: Plan, task: Task, home: Path) -> DataProfile:
    """The portrait of a plan's rows, as far as they are made."""
    return DataProfile(find_planned_outputs(plan, home), task)
