"""The environment of a trial: a plugin with its jobs, files, a scripted teacher, and tracking of column reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from factory.api import (
    Answer,
    Base,
    ChatRequest,
    ChatResponse,
    Kit,
    NoOpReporter,
    Plugin,
    Reporter,
    Row,
    RowsJob,
    Tables,
    Task,
    Teacher,
)
from factory.api.label_sets import LABEL_SETS, find_label_set_problem
from factory.registry.registry import Registry
from factory.testing.case import Case
from factory.testing.column_access import ColumnAccess

HERE = Path(__file__).parent
WORLD_FOLDER = HERE / "world"
"""Project-local plugin folder with the kit's own tasks."""
SEED = 7
SHORT_ANSWER_TOKENS = 13
MODEL_OUTPUT_TYPES = {"embedder": "labels", "prompter": "text"}
"""Name of a further model → output type that selects its random base."""


class ModelNeededError(Exception):
    """The plugin needs a model, and this trial has none."""


class OffContractError(Exception):
    """The plugin returned something that its role does not allow."""


def _raise_model_needed() -> Kit:
    raise ModelNeededError("it needs a model")


@dataclass
class ScriptedTeacher:
    """A teacher that returns the given replies in turn, starting over after the last."""

    replies: tuple[str, ...]
    model: str = "scripted"
    reply_count: int = 0

    def ask(self, asks: Iterable[ChatRequest], report: Reporter | None = None) -> Iterator[ChatResponse]:
        """Yield a reply to each request; one that does not validate against the schema has an `error`."""
        for request in asks:
            text = self.replies[self.reply_count % len(self.replies)]
            self.reply_count += 1
            try:
                value = request.schema.model_validate_json(text) if request.schema else None
            except ValueError as error:
                yield ChatResponse(text, error=str(error).splitlines()[0], model=self.model)
                continue
            yield ChatResponse(text, value, model=self.model, prompt_digest="0" * 16)


@dataclass
class Trial:
    """One plugin with its case and folder; `column_access` records the columns that it reads."""

    plugin: Plugin
    case: Case
    root: Path
    registry: Registry
    column_access: ColumnAccess
    check: Callable[[Trial], Any]
    kit_loader: Callable[[], Kit] = _raise_model_needed
    base: Base | None = None

    def __post_init__(self) -> None:
        self.rows = [self.column_access.track_row(row) for row in self.case.build_example_rows()]
        self.tables: Tables = self.case.build_side_tables()

    @property
    def output_type(self) -> str:
        """The output type of the trial."""
        return infer_output_type(self.plugin, self.case, self.registry)

    def make_task(self) -> Task:
        """Return the task of the trial: the plugin itself, the case's, or the kit's for the output type."""
        if isinstance(self.plugin, Task):
            return self.plugin
        known = {kind.kind for kind in self.registry.list_classes("task")}
        default = f"world-{self.output_type}" if f"world-{self.output_type}" in known else "world-labels"
        return cast(Task, self.registry.make_plugin("task", {"kind": self.case.task or default}))

    def run(self) -> Any:
        """Call the plugin on the case and return its output as JSON values. Raises OffContractError."""
        return self.check(self)

    def build_job_fields(self) -> dict[str, Any]:
        """Return the fields that all jobs have."""
        return {
            "seed": SEED, "report": NoOpReporter(), "root": self.root, "tables": self.tables,
            "kit_loader": self.kit_loader, "teacher_factory": self.make_teacher,
            "models": {name: self.get_further_base(name) for name in self.plugin.get_required_models()},
        }

    def get_base(self) -> Base:
        """Return the base model; a missing folder if the trial has none."""
        return self.base or Base(self.root / "no-model", "example/base", "1", "0" * 64, "MIT")

    def make_teacher(self, alias: Any = "teacher") -> Teacher:
        """Return a teacher with the case's replies. Raises ModelNeededError if it has none."""
        if not self.case.replies:
            raise ModelNeededError("it asks a teacher; pass its replies with Case(replies=[…])")
        return ScriptedTeacher(tuple(self.case.replies))

    def get_further_base(self, alias: str) -> Base:
        """Return a model besides the base, of the architecture that suits its name in the spec."""
        if self.base is None:
            return self.get_base()
        from factory.testing.random_models import build_random_base

        return build_random_base(self.root / "models", MODEL_OUTPUT_TYPES.get(alias, self.output_type))

    def build_rows_job(self, rows: Sequence[Row]) -> RowsJob:
        """Build a job over rows."""
        return RowsJob(**self.build_job_fields(), rows=rows, base=self.get_base(), task=self.make_task())


def check_yielded_values(values: Any, expected: type[Any], method: str) -> Iterator[Any]:
    """Yield the values of a method. Raises OffContractError for a value of another type."""
    if not isinstance(values, Iterable):
        raise OffContractError(f"{method} returned {type(values).__name__}; it must yield {expected.__name__} values")
    for value in values:
        if not isinstance(value, expected):
            raise OffContractError(f"{method} yielded {type(value).__name__}, expected {expected.__name__}")
        yield value


def check_output_type(output_type: str, row: Row, answer: Answer) -> None:
    """Raise OffContractError for an answer that does not have the output type."""
    output = answer.output
    if output_type == "ranking" and len(output) != len(row.columns["candidates"]):
        count = len(row.columns["candidates"])
        raise OffContractError(f"{len(output)} scores for the {count} candidates of {row.id!r}")
    if output_type == "labels" and (not isinstance(output, Mapping) or abs(sum(output.values()) - 1) > 0.01):
        raise OffContractError(f"the answer to {row.id!r} is not a mapping of labels to probabilities that sum to 1")
    if output_type == LABEL_SETS and (problem := find_label_set_problem(output)):
        raise OffContractError(f"the answer to {row.id!r}: {problem}")
    if output_type == "text" and not isinstance(output, str):
        raise OffContractError(f"the answer to {row.id!r} is {type(output).__name__}, expected str")


def infer_output_type(plugin: Plugin | type[Plugin], case: Case, registry: Registry) -> str:
    """Return the output type of a plugin: its own, else that of the case's task, else labels."""
    declared = getattr(plugin, "output_type", "")
    if isinstance(declared, str) and declared:
        return declared
    if case.task.startswith("world-"):
        return case.task.removeprefix("world-")
    tasks = {kind.kind: str(getattr(kind, "output_type", "")) for kind in registry.list_classes("task")}
    return tasks.get(case.task, "") or "labels"


def shorten_fields(kind: type[Plugin], case: Case) -> dict[str, Any]:
    """Return the fields of a case; by default with short answers, because a random model never ends its turn."""
    short = {} if case.rows or "max_new_tokens" not in kind.model_fields else {"max_new_tokens": SHORT_ANSWER_TOKENS}
    return {**short, **case.fields}


def write_files(case: Case, root: Path) -> None:
    """Write the files of a case to a folder."""
    for name, content in case.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)


@cache
def load_world_registry() -> Registry:
    """Return the registry of installed plugins and the kit's own."""
    return Registry.load([WORLD_FOLDER])
