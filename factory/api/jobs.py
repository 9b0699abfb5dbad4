"""What a plugin is given for one piece of work: a small frozen job, never the whole spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from factory.api.llm import Endpoint, Teacher
from factory.api.rows import Answer, Row

if TYPE_CHECKING:
    from factory.api.kit import Kit
    from factory.api.roles import Objective, Task
    from factory.api.training_args import Adapter, TrainingArgs

Tables = Mapping[str, Mapping[str, Row]]
"""Side tables: table → row id → row."""


class Reporter(Protocol):
    """How a job speaks: everything goes to the journal, nothing to the terminal."""

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Say how far the job is. Cheap: call it as often as you like."""

    def log_metrics(self, step: int, **values: float) -> None:
        """Record numbers at a step, such as a loss."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Say one thing that a person should know."""


class NoOpReporter:
    """A reporter that says nothing."""

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Nothing."""

    def log_metrics(self, step: int, **values: float) -> None:
        """Nothing."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Base:
    """A resolved base model: its folder here, and what names it everywhere."""

    folder: Path
    id: str
    revision: str
    digest: str
    licence: str


def _raise_no_kit() -> Kit:
    raise RuntimeError("this job was given no toolbox")


def _raise_no_teacher(alias: str | Endpoint) -> Teacher:
    raise RuntimeError("this job was given no teacher")


def _raise_bad_record(text: str) -> None:
    raise ValueError(text)


def raise_no_validation_scorer(rows: Sequence[Row], answers: Sequence[Answer]) -> float:
    """Refuse: the contender did not ask for a judge."""
    raise RuntimeError("only a contender that says `chooses` may ask what answers are worth")


ValidationScorer = Callable[[Sequence[Row], Sequence[Answer]], float]
"""Rows and answers to them → the mean of the deciding metric, its sign such that higher is better."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every job carries: a seed, a voice, the spec's folder, side tables, and a way to the heavy toolbox.

    `models` are the further models that the plugin `uses`, by their name in the spec.
    """

    seed: int
    report: Reporter
    root: Path
    tables: Tables = field(default_factory=dict)
    kit_loader: Callable[[], Kit] = _raise_no_kit
    models: Mapping[str, Base] = field(default_factory=dict)
    teacher_factory: Callable[[str | Endpoint], Teacher] = _raise_no_teacher
    bad_record_handler: Callable[[str], None] = _raise_bad_record

    def report_bad_record(self, text: str) -> None:
        """Say that one record is wrong, as `file:line: field: what; remedy`.

        Raises ValueError, unless the spec says to skip such records: then it is counted, and the record left out.
        """
        self.bad_record_handler(text)

    @property
    def kit(self) -> Kit:
        """Models, adapters, batches and the one trainer. Touching it imports torch."""
        return self.kit_loader()

    def get_teacher(self, alias: str | Endpoint = "teacher") -> Teacher:
        """The model to ask: `teacher` or `judge` of the spec, which the plugin `uses`, or an endpoint of its own."""
        return self.teacher_factory(alias)


@dataclass(frozen=True, slots=True)
class RowsJob(Job):
    """Rows to enrich, extend or judge, with the task that renders them: for `Task`, synthesizers and curators."""

    rows: Sequence[Row] = ()
    base: Base | None = None
    task: Task | None = None

    def get_embedding_base(self, model: str) -> Base:
        """The base that embeds: `embedder` or, when it is an encoder, the `student`. Raises ValueError for none."""
        found = self.models.get(model) if model != "student" else self.base
        if found is None:
            raise ValueError(f"there is no {model} to embed them")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelJob(Job):
    """Rows for a model: the base, the adapter's folder (None: the base alone), and the task that renders."""

    rows: Sequence[Row]
    base: Base
    task: Task
    adapter: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob(Job):
    """Rows to learn from. `out` gets the adapter; `work` survives a kill, for checkpoints."""

    rows: Sequence[Row]
    validation: Sequence[Row]
    base: Base
    task: Task
    adapter: Adapter
    train: TrainingArgs
    out: Path
    work: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerJob(Job):
    """The frozen test rows to answer, and what a contender may know: training and validation rows, the adapter."""

    rows: Sequence[Row]
    train: Sequence[Row]
    validation: Sequence[Row]
    base: Base
    task: Task
    objective: Objective
    adapter: Path | None
    validation_scorer: ValidationScorer = raise_no_validation_scorer
    facts: dict[str, Any] = field(default_factory=dict)

    def compute_validation_score(self, rows: Sequence[Row], answers: Sequence[Answer]) -> float:
        """What answers to validation rows are worth by the deciding metric; higher is better. Needs `chooses`."""
        return self.validation_scorer(rows, answers)

    def record_facts(self, **facts: Any) -> None:
        """Say what answering took or chose (tokens, shots), as JSON: it stands beside the answers."""
        self.facts.update(facts)

    def build_model_job(self, adapter: Path | None) -> ModelJob:
        """The same rows as a job for the objective, with this adapter or (None) the base alone."""
        return ModelJob(
            seed=self.seed, report=self.report, root=self.root, tables=self.tables, kit_loader=self.kit_loader,
            models=self.models, teacher_factory=self.teacher_factory, rows=self.rows, base=self.base, task=self.task, adapter=adapter,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreJob(Job):
    """The frozen test rows and one contender's answers to them, by row id; training and validation rows beside them."""

    rows: Sequence[Row]
    answers: Mapping[str, Answer]
    train: Sequence[Row] = ()
    validation: Sequence[Row] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeJob(Job):
    """The base and the adapter, to be asked what has nothing to do with the task."""

    base: Base
    adapter: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob(Job):
    """A finished bundle and the folder that a target writes to."""

    bundle: Path
    base: Base
    manifest: Mapping[str, Any]
    out: Path
