"""The data profile of a plan: funnel, distributions and sample rows, read from the store on access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from factory.api import TRAIN, Row, Tables, Task
from factory.data.rows import open_rows, read_side_tables
from factory.plan.builder import Plan
from factory.review import RowContent
from factory.runs.profile import samples
from factory.runs.profile.distributions import Distribution, compute_distributions
from factory.runs.profile.funnel import FunnelStep, find_final_stage, read_funnel
from factory.runs.profile.samples import RowSample
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import CACHED, WAITING, RunView, StageView
from factory.store.outputs import Store


@dataclass(frozen=True)
class DataProfile:
    """The profile of the rows that exist so far; each part is read on access."""

    run_outputs: RunOutputs
    task: Task

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The training rows after curation and review."""
        folder = self.run_outputs.find_intact_folder(find_final_stage(self.run_outputs))
        return open_rows(folder / f"{TRAIN}.jsonl") if folder else []

    @cached_property
    def content(self) -> RowContent:
        """The input and answer columns."""
        return RowContent.from_task(self.task)

    @cached_property
    def tables(self) -> Tables:
        """The side tables, with which tasks render rows."""
        folder = self.run_outputs.find_intact_folder("gather")
        return read_side_tables(folder) if folder else {}

    @cached_property
    def funnel(self) -> list[FunnelStep]:
        return read_funnel(self.run_outputs)

    @cached_property
    def distributions(self) -> list[Distribution]:
        """The distributions of the training rows."""
        return compute_distributions(self.rows, self.content)

    @cached_property
    def training_samples(self) -> list[RowSample]:
        return samples.sample_kept_rows(self.rows, self.task, self.tables)

    @cached_property
    def removal_samples(self) -> list[RowSample]:
        """Samples of the dropped rows, for every reason."""
        return samples.sample_dropped_rows(self.run_outputs, self.task, self.tables)

    @cached_property
    def leakage(self) -> Mapping[str, Any]:
        """The proof that no frozen row leaked into the training rows."""
        return cast("Mapping[str, Any]", self.run_outputs.read_stage_json("curate").get("leakage", {}))

    @cached_property
    def audit(self) -> Mapping[str, Any]:
        """The checks of training and frozen rows that found something, and what would stop a build."""
        return self.run_outputs.read_stage_json("audit")

    def to_json(self) -> dict[str, Any]:
        curate, gather = self.run_outputs.read_stage_json("curate"), self.run_outputs.read_stage_json("gather")
        return {
            "name": self.run_outputs.run.name, "task": self.task.kind, "rows": len(self.rows),
            "sources": gather.get("sources", []),
            "splits": self.run_outputs.read_stage_json("freeze").get("counts", {}),
            "funnel": [step.to_json() for step in self.funnel], "leakage": dict(self.leakage),
            "tests": curate.get("tests", []), "audit": dict(self.audit),
            "review": self.run_outputs.read_stage_json("review"),
            "distributions": [distribution.to_json() for distribution in self.distributions],
            "samples": {"kept": [sample.to_json() for sample in self.training_samples],
                        "dropped": [sample.to_json() for sample in self.removal_samples]},
        }


def build_data_profile(plan: Plan, task: Task, home: Path) -> DataProfile:
    """Return the profile of a plan's rows, from the outputs in the store, whichever run wrote them."""
    store, stages = Store(home), {}
    for stage in plan.stages:
        is_complete = store.locate_output(stage.name, stage.key).is_complete
        stages[stage.name] = StageView(stage.name, stage.key, CACHED if is_complete else WAITING)
    return DataProfile(RunOutputs(home, RunView(name=plan.name, task=plan.task, stages=stages)), task)
