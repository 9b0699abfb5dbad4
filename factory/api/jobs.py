"""Jobs: the small frozen objects that a plugin receives for one piece of work, instead of the whole spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from factory.api.llm import Endpoint, Teacher
from factory.api.rows import Answer, Row
from factory.errors import InputError

if TYPE_CHECKING:
    from factory.api.artifact import Artifact
    from factory.api.kit import Kit
    from factory.api.roles import Objective, Task
    from factory.api.training_args import Adapter, TrainingArgs

Tables = Mapping[str, Mapping[str, Row]]
"""Side tables: table → row id → row."""


class Reporter(Protocol):
    """Progress, metrics and notes of a job. They go to the journal of the run, never to the terminal."""

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Report how far the job is; `total` 0 means unknown. Cheap enough to call for every row."""

    def log_metrics(self, step: int, **values: float) -> None:
        """Log numbers at a step, such as the loss."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Record a note for the user."""


class NoOpReporter:
    """A reporter that discards everything."""

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Do nothing."""

    def log_metrics(self, step: int, **values: float) -> None:
        """Do nothing."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Base:
    """A resolved base model: its local folder, and the id, revision and digest that identify it on any machine."""

    folder: Path
    id: str
    revision: str
    digest: str
    licence: str


def _raise_no_kit() -> Kit:
    raise RuntimeError("this job has no kit")


def _raise_no_teacher(alias: str | Endpoint) -> Teacher:
    raise RuntimeError("this job has no teacher")


def _raise_bad_record(text: str) -> None:
    raise ValueError(text)


def raise_no_validation_scorer(rows: Sequence[Row], answers: Sequence[Answer]) -> float:
    """Raise RuntimeError: the contender does not declare `uses_validation_score`."""
    raise RuntimeError("only a contender that sets `uses_validation_score = True` may call compute_validation_score")


ValidationScorer = Callable[[Sequence[Row], Sequence[Answer]], float]
"""(rows, answers) → mean of the gate's metric, with its sign such that higher is better."""


@dataclass(frozen=True, slots=True)
class Job:
    """The fields of every job: seed, reporter, the spec's folder (`root`), side tables, and access to models.

    `models` are the models named by the plugin's `get_required_models`, by their name in the spec.
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
        """Report an invalid record, as `file:line: field: problem; remedy`, and leave it out.

        Raises ValueError unless the spec skips invalid records; skipped records are counted.
        """
        self.bad_record_handler(text)

    @property
    def kit(self) -> Kit:
        """The training and inference library. The first access imports torch."""
        return self.kit_loader()

    def get_teacher(self, alias: str | Endpoint = "teacher") -> Teacher:
        """Return a chat model: the spec's `teacher` or `judge` (see `get_required_models`), or a plugin's endpoint."""
        return self.teacher_factory(alias)


@dataclass(frozen=True, slots=True)
class RowsJob(Job):
    """Rows to prepare, extend or filter, with the task that renders them: for tasks, synthesizers and curators."""

    rows: Sequence[Row] = ()
    base: Base | None = None
    task: Task | None = None

    def get_embedding_base(self, model: str) -> Base:
        """Return the base for embeddings: `embedder` or `student`. Raises ValueError if the spec has no such model."""
        base = self.models.get(model) if model != "student" else self.base
        if base is None:
            raise ValueError(f"embeddings need the model {model!r}, which this job does not have")
        return base


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelJob(Job):
    """Rows for a model to answer: the base, the artifact of training (None: the untuned base), and the task.

    What an objective puts into `facts` is stored beside a contender's answers.
    """

    rows: Sequence[Row]
    base: Base
    task: Task
    artifact: Artifact | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceJob(ModelJob):
    """Rows whose answers by the judged model are known: `judged_answers` by row id."""

    judged_answers: Mapping[str, Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob(Job):
    """Rows to train on. The files of the artifact go to `out`; `work` survives a kill and is for checkpoints.

    `start` is the artifact of the training step before, from which training goes on; None: from the untuned base. The
    kit's `create_learner` loads it.
    """

    rows: Sequence[Row]
    validation: Sequence[Row]
    base: Base
    task: Task
    adapter: Adapter
    train: TrainingArgs
    out: Path
    work: Path
    start: Artifact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerJob(Job):
    """The held-out test rows (frozen) to answer, and what a contender may use: train and validation rows, artifact."""

    rows: Sequence[Row]
    train: Sequence[Row]
    validation: Sequence[Row]
    base: Base
    task: Task
    objective: Objective
    artifact: Artifact | None
    validation_scorer: ValidationScorer = raise_no_validation_scorer
    facts: dict[str, Any] = field(default_factory=dict)

    def compute_validation_score(self, rows: Sequence[Row], answers: Sequence[Answer]) -> float:
        """Score answers to validation rows by the gate's metric; higher is better.

        Raises RuntimeError unless the contender sets `uses_validation_score`.
        """
        return self.validation_scorer(rows, answers)

    def record_facts(self, **facts: Any) -> None:
        """Store JSON values beside the answers, such as tokens used or shots selected."""
        self.facts.update(facts)

    def build_model_job(self, artifact: Artifact | None) -> ModelJob:
        """Return a job for the objective over the same rows, with an artifact or (None) the untuned base."""
        return ModelJob(
            seed=self.seed, report=self.report, root=self.root, tables=self.tables, kit_loader=self.kit_loader,
            models=self.models, teacher_factory=self.teacher_factory, rows=self.rows, base=self.base, task=self.task,
            artifact=artifact, facts=self.facts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreJob(Job):
    """The held-out test rows (frozen), one contender's answers by row id and the facts that it recorded beside them
    (such as the abstention threshold of its bundle), and the training and validation rows.

    An eval that `uses_task` gets the task, whose targets are the right answers. One that `compares_with_tuned` gets
    tuned's answers in `opponent`; where there are none, it compares with the right answers. `scratch` is shared by the
    calls for one contender: what is dear to find and needed by scores, totals, resamples and tables is kept there.
    """

    rows: Sequence[Row]
    answers: Mapping[str, Answer]
    train: Sequence[Row] = ()
    validation: Sequence[Row] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    task: Task | None = None
    opponent: Mapping[str, Answer] = field(default_factory=dict)
    scratch: dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not len(self.rows):
            raise InputError("there are no rows to score; the data, or its split, left none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeJob(Job):
    """The base and the artifact, for a probe of capabilities unrelated to the task."""

    base: Base
    artifact: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob(Job):
    """A finished bundle, and the folder `out` that a target writes to."""

    bundle: Path
    base: Base
    manifest: Mapping[str, Any]
    out: Path
