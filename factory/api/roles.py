"""The roles of plugins. Subclass one of these and implement its one or two methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from factory.api.auto_settings import Schedule, TokenCounts
from factory.api.grammar import Grammar
from factory.api.jobs import AnswerJob, ExportJob, FitJob, ModelJob, ProbeJob, ReferenceJob, RowsJob, ScoreJob
from factory.api.plugin import Plugin
from factory.api.row_roles import Curator as Curator
from factory.api.row_roles import Synthesizer as Synthesizer
from factory.api.rows import (
    Answer,
    Finding,
    Message,
    Metric,
    ProbeResult,
    Provenance,
    ReferenceAnswers,
    Row,
    ScoredAnswer,
    Scores,
    TrainResult,
)
from factory.api.source import Columns
from factory.api.source import Source as Source
from factory.text.templates import render


class Objective(Plugin):
    """A training objective: the loss, and how the trained model answers.

    `output_type` is the type of its answers; `modules_to_save` are new modules saved in full beside an adapter;
    `loader_class` is the class of a public library that loads its bundle, as `module:Class`. With `measures_validation`
    it gives `kit.fit` validation rows, for `keep: best`. `start_form` is the form of artifact that `fit` makes and can
    go on from, if `job.start` is set; empty if it can only start from the untuned base. Without `uses_task_rows` it
    reads its `columns` alone, and not those of the task: its training rows may be documents.
    """

    role = "objective"
    columns: ClassVar[Columns] = ()
    output_type: ClassVar[str] = ""
    modules_to_save: ClassVar[Columns] = ()
    loader_class: ClassVar[str] = ""
    measures_validation: ClassVar[bool] = False
    start_form: ClassVar[str] = ""
    uses_task_rows: ClassVar[bool] = True
    length_fields: ClassVar[Columns] = ()
    """Fields with a number of tokens that may be `auto`: chosen from what `count_tokens` returns."""

    def count_tokens(self, job: ModelJob) -> TokenCounts:
        """Count the tokens of rows, uncut, by length field; validation rows lack what synthesizers add."""
        return TokenCounts()

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        """Yield preflight findings: problems of the tokenised training rows, checked before training starts."""
        raise NotImplementedError

    def audit_frozen(self, job: ModelJob) -> Iterator[Finding]:
        """Yield the findings of test and validation rows (frozen), as of training rows unless they lack columns that
        only synthesizers add: an objective that needs such columns overrides it."""
        if all(row.columns.keys() >= {*self.columns} for row in job.rows):
            yield from self.audit(job)

    def fit(self, job: FitJob) -> TrainResult:
        """Train on the job's rows and save the artifact to `job.out`: an adapter in PEFT's format, or what
        `TrainResult.artifact` says. All that is written there goes into the bundle."""
        raise NotImplementedError

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        """Answer the job's rows with the artifact, or with the untuned base if there is none."""
        raise NotImplementedError

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Write what the public library needs beside the artifact in `bundle`: module folders, tokenizer, config."""
        raise NotImplementedError

    def generate_reference_answers(self, job: ReferenceJob) -> ReferenceAnswers:
        """Answer with the public library alone: `job.artifact` is in the bundle, or None for the untuned base."""
        raise NotImplementedError

    def score_judged_answers(self, job: ReferenceJob) -> Iterator[ScoredAnswer]:
        """Score the judged model's texts by that model itself, for comparison with `ReferenceAnswers.scored`; only an
        objective whose answers are generated texts yields any."""
        yield from ()


class Contender(Plugin):
    """A contender (baseline or candidate): anything that can answer the test rows.

    `output_type` (or `further_output_types`) is the type of its answers, empty for the objective's. `is_prompt_only`
    marks one that only prompts a model: if tuned is not better, the verdict is PROMPTING_IS_ENOUGH. Without `in_gate`
    the gate does not compare it. `uses_validation_score`: it may tune settings by `job.compute_validation_score`.
    """

    role = "contender"
    columns: ClassVar[Columns] = ()
    output_type: ClassVar[str] = ""
    further_output_types: ClassVar[Columns] = ()
    uses_artifact: ClassVar[bool] = False
    is_prompt_only: ClassVar[bool] = False
    in_gate: ClassVar[bool] = True
    uses_validation_score: ClassVar[bool] = False

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        """Yield one answer for each test row."""
        raise NotImplementedError


class Eval(Plugin):
    """Scores answers; `metrics` describes the values, `primary_metric` is the gate's default metric, and
    `total_metrics` describes the totals that `gate.metric` may name instead.

    `uses_task` asks for `job.task`, and `compares_with_tuned` for `job.opponent`. `is_opinion` marks what a model, not
    a rule, decides: beside an eval that is none, it decides the gate only if `gate.metric` says so.
    """

    role = "eval"
    columns: ClassVar[Columns] = ()
    output_type: ClassVar[str] = ""
    metrics: ClassVar[tuple[Metric, ...]] = ()
    primary_metric: ClassVar[str] = ""
    total_metrics: ClassVar[tuple[Metric, ...]] = ()
    uses_task: ClassVar[bool] = False
    compares_with_tuned: ClassVar[bool] = False
    is_opinion: ClassVar[bool] = False

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        """Yield the values of every metric for each row."""
        raise NotImplementedError

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """Return corpus-level numbers that are no mean over rows: macro F1, calibration error, corpus BLEU."""
        return {}

    def list_total_counts(self, name: str, job: ScoreJob) -> Any:
        """Return counts for each row, whose sums determine the total `name`: (rows, counts). They make it cheap to
        resample; without them it is computed anew for each of 500 resamples."""
        return ()

    def compute_total_from_counts(self, name: str, sums: Any) -> Any:
        """Return the total `name` of many sums of its counts: (sums, counts) → (sums,). Rows may be left out of a sum,
        or be in it several times."""
        raise NotImplementedError

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return tables for the report, as rows of named cells: scores per class, reliability bins."""
        return {}


class Probe(Eval):
    """An eval of the model itself for forgetting: capabilities outside the task, before and after training.

    A spec lists it in `evaluate`. The gate fails if the mean of a suite falls by more than `tolerance`.
    """

    tolerance: float = Field(0.05, ge=0, le=1, description="largest accepted fall of a suite's mean")

    def probe(self, job: ProbeJob) -> Iterator[ProbeResult]:
        """Yield paired results of the base and the tuned model on the same questions."""
        raise NotImplementedError

    def compute_drift(self, job: ProbeJob) -> Mapping[str, float]:
        """Return distances between predictions of the tuned model and the base, such as a KL divergence, by name."""
        return {}

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        yield from ()


class Target(Plugin):
    """A deployment target for the bundle."""

    role = "target"

    def explain_refusal(self, manifest: Mapping[str, Any]) -> str:
        """Return why this target can not serve such a bundle, or "". At check time the manifest has only the planned
        facts `heads`, `rank`, `loader` and `base`; the kind of `artifact` is known after training."""
        raise NotImplementedError

    def export(self, job: ExportJob) -> None:
        """Write what the target needs to `job.out`; nothing if it serves the bundle as it is."""


class Task(Plugin):
    """The kind of specialist: the columns of its rows, how they are rendered, and the defaults of every block.

    `columns` are required of sources and `added_columns` are added by `prepare`; `tables` are the side tables;
    `output_type` is the type of the contenders' answers.
    """

    role = "task"
    columns: ClassVar[Columns] = ()
    added_columns: ClassVar[Columns] = ()
    tables: ClassVar[Columns] = ()
    output_type: ClassVar[str] = ""
    schedule: ClassVar[Schedule] = Schedule()
    """How to train on few or many rows, where a spec says neither `train.epochs` nor `train.batch_size`."""
    text_column: ClassVar[str] = ""
    """The input column, which identifies a row when looking for duplicates and leakage."""

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        """Return a partial spec with the defaults for specs of this task."""
        raise NotImplementedError

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        """Return the named partial specs of this task, such as `smoke`."""
        return {}

    def get_templates(self) -> dict[str, str]:
        """Return name → template over columns. The bundle records the templates with their digest."""
        raise NotImplementedError

    def render_messages(self, row: Row) -> tuple[Message, ...]:
        """Render the chat up to the specialist's turn, for generative bases: the templates `system` and `prompt`."""
        templates = self.get_templates()
        turns = [("system", templates.get("system", "")), ("user", templates["prompt"])]
        return tuple(Message(role, render(text, row.columns)) for role, text in turns if text)

    def render_target(self, row: Row) -> str:
        """Render the expected answer: the template `target`."""
        return render(self.get_templates()["target"], row.columns)

    def build_expected_output(self, row: Row) -> Any:
        """Return the output of a right answer to this row: the target, or for labels its label for sure.

        A task with another `output_type` overrides it; `factory check --metric` scores it beside degenerate answers.
        """
        if self.output_type not in ("text", "labels"):
            raise ValueError(f"answers are {self.output_type!r}: build_expected_output must be overridden")
        target = self.render_target(row)
        return {target: 1.0} if self.output_type == "labels" else target

    def list_choices(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """Return the closed set of answers (labels, as `target` renders them); empty for free text."""
        return ()

    def build_grammar(self, row: Row, tables: Mapping[str, Mapping[str, Row]]) -> Grammar | None:
        """Return the decoding constraint for this row's answer, which applies to every contender that generates."""
        return None

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Yield every row with its computed columns (a reranker's candidates), without looking at labels."""
        yield from job.rows

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        """Yield problems of the training rows as data, before tokenisation."""
        raise NotImplementedError

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """Format one row, and a contender's answer if given, in a line or two for a reader."""
        raise NotImplementedError

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        """Return slice → value for the parts of the test set that a row belongs to: its label, schema or language."""
        return {}

    def build_query_row(self, inputs: Mapping[str, Any]) -> Row:
        """Build the row of a user's query: `query` is the typed text, other entries are columns by name.

        Raises ValueError that names what is missing.
        """
        return Row("question", {self.text_column: inputs["query"], **inputs}, Provenance("the question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        """Return an example query: the argument from which `build_query_row` builds this row."""
        return {"query": row[self.text_column]}

    def format_answer(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer) -> str:
        """Format the answer for the user who asked."""
        return str(answer.output)
