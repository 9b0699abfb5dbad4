"""What a plugin can be. Each role is one class with one method, or two, to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from factory.api.jobs import AnswerJob, ExportJob, FitJob, Job, ModelJob, ProbeJob, RowsJob, ScoreJob
from factory.api.plugin import Plugin
from factory.api.rows import (
    Answer,
    Decision,
    Finding,
    Guide,
    Message,
    Metric,
    ProbeResult,
    Provenance,
    ReferenceAnswers,
    Row,
    Scores,
    TrainResult,
)
from factory.text.templates import render

Columns = tuple[str, ...]


class Source(Plugin):
    """Reads rows from somewhere; `gives` names the columns of its rows, `tables` the side tables it fills."""

    role = "source"
    output_columns: ClassVar[Columns] = ()
    tables: ClassVar[Columns] = ()

    weight: float = Field(0, ge=0, description="its part in a mixture, beside other weights; 0 to take all its rows")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        """Yield rows with their provenance, as they are read. A record that is wrong is told to `job.bad`, by file,
        line and field; anything else that is wrong raises ValueError."""
        raise NotImplementedError

    def compute_identity(self, root: Path) -> dict[str, Any]:
        """What this block adds to a key; a weight only where one is said."""
        made = super().compute_identity(root)
        if not self.weight:
            del made["fields"]["weight"]
        return made


class Synthesizer(Plugin):
    """Makes training rows. A yielded row whose id exists replaces it, any other is added; the rest stay."""

    role = "synthesizer"
    columns: ClassVar[Columns] = ()
    output_columns: ClassVar[Columns] = ()

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        """Yield new or enriched training rows."""
        raise NotImplementedError


class Curator(Plugin):
    """Says which training rows stay, and may change those that do.

    `measures` names the share of rows that it would drop, change or doubt: `data.require` may set limits to it.
    """

    role = "curator"
    columns: ClassVar[Columns] = ()
    share_metric: ClassVar[str] = ""

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        """Yield a decision for each row; one without a decision stays as it is."""
        raise NotImplementedError


class Objective(Plugin):
    """What is learned: the loss, and how a model with this adapter answers.

    `answers` is the form of its answers; `heads` the fresh modules saved whole beside the adapter; `loader` the
    class of a plain library that loads its bundle, as `module:Class`.
    """

    role = "objective"
    columns: ClassVar[Columns] = ()
    output_type: ClassVar[str] = ""
    modules_to_save: ClassVar[Columns] = ()
    loader_class: ClassVar[str] = ""

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        """Yield what is wrong with the tokenised training rows, before an hour is spent on them."""
        raise NotImplementedError

    def fit(self, job: FitJob) -> TrainResult:
        """Learn from the job's rows and write the adapter, in the PEFT layout, to `job.out`."""
        raise NotImplementedError

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        """Answer the job's rows with the adapter, or without one as the untuned base would."""
        raise NotImplementedError

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Write what the plain library needs beside the adapter in `bundle`: module folders, tokenizer, config."""
        raise NotImplementedError

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        """Answer by the plain library alone: `job.adapter` is the bundle, or None for the base by itself."""
        raise NotImplementedError


class Contender(Plugin):
    """Anything that can answer the test rows; `answers` is the form of its answers, empty when it is the objective's.

    `prompted` marks one that only prompts a model: when tuned does not clear it, prompting is enough. One that is not
    `compared` is only shown: a variant of tuned, which the gate does not hold it against. One that `chooses` its
    settings on validation rows may ask `job.worth`.
    """

    role = "contender"
    columns: ClassVar[Columns] = ()
    output_type: ClassVar[str] = ""
    uses_adapter: ClassVar[bool] = False
    is_prompt_only: ClassVar[bool] = False
    in_gate: ClassVar[bool] = True
    uses_validation_score: ClassVar[bool] = False

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        """Yield one answer for each test row."""
        raise NotImplementedError


class Eval(Plugin):
    """Turns answers into numbers; `metrics` says what each means, `primary` which one the gate reads by default."""

    role = "eval"
    columns: ClassVar[Columns] = ()
    output_type: ClassVar[str] = ""
    metrics: ClassVar[tuple[Metric, ...]] = ()
    primary_metric: ClassVar[str] = ""

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        """Yield the values of every metric for each row."""
        raise NotImplementedError

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """Numbers of all rows together that are no means of them: macro F1, calibration error, corpus BLEU."""
        return {}

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What a person would rather see than read, as rows of named cells: per class, reliability bins."""
        return {}


class Probe(Eval):
    """An eval of the models rather than of their answers: what training did to what nobody trained for.

    Stands among the evals of a spec. `tolerance` is the fall of any suite's mean at which the gate says no.
    """

    tolerance: float = Field(0.05, ge=0, le=1, description="the fall of a suite's mean that is borne")

    def probe(self, job: ProbeJob) -> Iterator[ProbeResult]:
        """Ask the base and the tuned model the same; the stage pairs them by suite."""
        raise NotImplementedError

    def compute_drift(self, job: ProbeJob) -> Mapping[str, float]:
        """Distances of the tuned model's predictions from the base's, such as a KL divergence, by name."""
        return {}

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        yield from ()


class Target(Plugin):
    """A place where the bundle is to run."""

    role = "target"

    def explain_refusal(self, manifest: Mapping[str, Any]) -> str:
        """Why this target can not serve such a bundle, or nothing. At check time only the planned facts are there:
        `heads`, `rank`, `loader`, `base`."""
        raise NotImplementedError

    def export(self, job: ExportJob) -> None:
        """Write what the target needs to `job.out`; nothing when it takes the bundle as it is."""


class Task(Plugin):
    """The kind of specialist: the columns of its rows, how they are rendered, and the defaults of every block.

    `columns` are what sources must give, `prepared` what `prepare` adds; `tables` are the side tables;
    `answers` is the form in which contenders answer.
    """

    role = "task"
    columns: ClassVar[Columns] = ()
    added_columns: ClassVar[Columns] = ()
    tables: ClassVar[Columns] = ()
    output_type: ClassVar[str] = ""
    text_column: ClassVar[str] = ""
    """The column that identifies a row for duplicates and leakage: what a person would call its input."""

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        """A partial spec: what a spec of this task says when it says nothing."""
        raise NotImplementedError

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        """Named partial specs that this task brings, such as `smoke`."""
        return {}

    def get_templates(self) -> dict[str, str]:
        """The renderer as data: name → template over columns. Recorded in the bundle with its digest."""
        raise NotImplementedError

    def render_messages(self, row: Row) -> tuple[Message, ...]:
        """The chat up to where the specialist speaks, for generative bases: the templates `system` and `prompt`."""
        templates = self.get_templates()
        said = [("system", templates.get("system", "")), ("user", templates["prompt"])]
        return tuple(Message(role, render(text, row.columns)) for role, text in said if text)

    def render_target(self, row: Row) -> str:
        """What the specialist should say: the template `target`."""
        return render(self.get_templates()["target"], row.columns)

    def list_choices(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """All answers that there are, when they are few (labels, as `target` writes them); none for free text."""
        return ()

    def build_guide(self, row: Row, tables: Mapping[str, Mapping[str, Row]]) -> Guide | None:
        """What constrains the decoding of an answer to this row, for every contender that generates."""
        return None

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Yield every row with the columns that are computed and not given (a reranker's candidates). Label-free."""
        yield from job.rows

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        """Yield what is wrong with the training rows as data."""
        raise NotImplementedError

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """One row, and what a contender said to it, in a line or two for a person."""
        raise NotImplementedError

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        """The parts of the test set that a row belongs to: slice → value, such as a label, a schema, a language."""
        return {}

    def build_query_row(self, asked: Mapping[str, Any]) -> Row:
        """The row that a person's question makes: `query` is what they typed, the rest are columns by name.

        Raises ValueError with what is missing.
        """
        return Row("question", {self.text_column: asked["query"], **asked}, Provenance("the question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        """The question that would make this row: what `question` takes. Shown to a person as an example."""
        return {"query": row[self.text_column]}

    def format_answer(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer) -> str:
        """The answer as the person who asked reads it."""
        return str(answer.output)
