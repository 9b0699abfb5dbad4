"""All of a portrait at once, and the evidence it is painted from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from factory.api import TRAIN, Row, Tables, Task
from factory.data.rows import open_rows, read_rows
from factory.evidence import Evidence
from factory.graph import Plan
from factory.portrait import samples
from factory.portrait.samples import Sample
from factory.portrait.spread import Spread, spreads
from factory.portrait.steps import Step, last, steps
from factory.review import Content
from factory.runs import CACHED, WAITING, RunView, StageView
from factory.store import Store


def planned(plan: Plan, home: Path) -> Evidence:
    """What a plan finds in the store, whichever run made it."""
    store = Store(home)
    stages = {
        stage.name: StageView(stage.name, stage.key, CACHED if store.locate_output(stage.name, stage.key).is_complete else WAITING)
        for stage in plan.stages
    }
    return Evidence(home, RunView(name=plan.name, task=plan.task, stages=stages))


@dataclass(frozen=True)
class Portrait:
    """What was made of the rows so far; each part is read when it is asked for."""

    evidence: Evidence
    task: Task

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The rows that are learned from."""
        folder = self.evidence.folder(last(self.evidence))
        return open_rows(folder / f"{TRAIN}.jsonl") if folder else []

    @cached_property
    def content(self) -> Content:
        """Which columns are input, and which the answer."""
        return Content.of(self.task)

    @cached_property
    def tables(self) -> Tables:
        """The side tables, for what shows a row with its documents."""
        folder = self.evidence.folder("gather")
        files = sorted((folder / "tables").glob("*.jsonl")) if folder else []
        return {file.stem: {row.id: row for row in read_rows(file)} for file in files}

    @cached_property
    def steps(self) -> list[Step]:
        """The funnel."""
        return steps(self.evidence)

    @cached_property
    def spreads(self) -> list[Spread]:
        """How the rows that are learned from are spread."""
        return spreads(self.rows, self.content)

    @cached_property
    def kept(self) -> list[Sample]:
        """Some rows that stay."""
        return samples.kept(self.rows, self.task, self.tables)

    @cached_property
    def dropped(self) -> list[Sample]:
        """Some rows that went, of every reason."""
        return samples.dropped(self.evidence, self.task, self.tables)

    @cached_property
    def leakage(self) -> Mapping[str, Any]:
        """The proof that nothing of the frozen rows is in training."""
        found: Mapping[str, Any] = self.evidence.facts("curate").get("leakage", {})
        return found

    def to_json(self) -> dict[str, Any]:
        """All of it, for a program."""
        curate, gather = self.evidence.facts("curate"), self.evidence.facts("gather")
        return {
            "name": self.evidence.run.name, "task": self.task.kind, "rows": len(self.rows),
            "sources": gather.get("sources", []), "splits": self.evidence.facts("freeze").get("counts", {}),
            "funnel": [step.to_json() for step in self.steps], "leakage": dict(self.leakage),
            "tests": curate.get("tests", []), "review": self.evidence.facts("review"),
            "distributions": [spread.to_json() for spread in self.spreads],
            "samples": {"kept": [each.to_json() for each in self.kept],
                        "dropped": [each.to_json() for each in self.dropped]},
        }


def portrait(plan: Plan, task: Task, home: Path) -> Portrait:
    """The portrait of a plan's rows, as far as they are made."""
    return Portrait(planned(plan, home), task)
