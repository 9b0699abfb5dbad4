"""One plugin on trial: its job, its world, its teacher, and what it reads meanwhile."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from factory.api import (
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
from factory.registry.registry import Registry
from factory.testing.case import Case
from factory.testing.column_access import ColumnAccess

HERE = Path(__file__).parent
WORLD_FOLDER = HERE / "world"
"""The project-local folder that holds the kit's own tasks."""
SEED = 7
SHORT_ANSWER_TOKENS = 13
MODEL_OUTPUT_TYPES = {"embedder": "labels", "prompter": "text"}
"""Further model → the form of answers that its kind of base is for."""


class ModelNeededError(Exception):
    """The plugin asks for a model, and this trial has none."""


class OffContractError(Exception):
    """The plugin gave something that its role does not allow."""


def _raise_model_needed() -> Kit:
    raise ModelNeededError("it needs a model")


@dataclass
class ScriptedTeacher:
    """A teacher whose answers are known before: one reply after another, from the first again after the last."""

    replies: tuple[str, ...]
    model: str = "scripted"
    reply_count: int = 0

    def ask(self, asks: Iterable[ChatRequest], report: Reporter | None = None) -> Iterator[ChatResponse]:
        """A reply to each, in order; one that does not fit the schema has failed."""
        for ask in asks:
            text = self.replies[self.reply_count % len(self.replies)]
            self.reply_count += 1
            try:
                value = ask.schema.model_validate_json(text) if ask.schema else None
            except ValueError as error:
                yield ChatResponse(text, error=str(error).splitlines()[0], model=self.model)
                continue
            yield ChatResponse(text, value, model=self.model, prompt_digest="0" * 16)


@dataclass
class Trial:
    """One plugin, its case, and where its files lie. `reading` hears which columns it looks at."""

    plugin: Plugin
    case: Case
    root: Path
    registry: Registry
    column_access: ColumnAccess
    kit_loader: Callable[[], Kit] = _raise_model_needed
    base: Base | None = None

    def __post_init__(self) -> None:
        self.rows = [self.column_access.track_row(row) for row in self.case.build_example_rows()]
        self.tables: Tables = self.case.build_side_tables()

    @property
    def output_type(self) -> str:
        """The form of answers that the trial is about."""
        return infer_output_type(self.plugin, self.case, self.registry)

    def make_task(self) -> Task:
        """The task of the trial: its own, the case's, or the kit's for the form of answers."""
        if isinstance(self.plugin, Task):
            return self.plugin
        form = self.output_type if f"world-{self.output_type}" in {t.kind for t in self.registry.list_classes("task")} else "labels"
        return cast(Task, self.registry.make_plugin("task", {"kind": self.case.task or f"world-{form}"}))

    def run(self) -> Any:
        """What the plugin makes of the case."""
        from factory.testing.role_checks import ROLE_CHECKS

        drive = next(drive for role, drive in ROLE_CHECKS if isinstance(self.plugin, role))
        return drive(self)

    def build_job_fields(self) -> dict[str, Any]:
        """What every job carries."""
        return {
            "seed": SEED, "report": NoOpReporter(), "root": self.root, "tables": self.tables, "kit_loader": self.kit_loader,
            "models": {name: self.get_further_base(name) for name in self.plugin.get_required_models()}, "teacher_factory": self.make_teacher,
        }

    def get_base(self) -> Base:
        """The base model; a folder that nobody may look into when the trial has none."""
        return self.base or Base(self.root / "no-model", "example/base", "1", "0" * 64, "MIT")

    def make_teacher(self, alias: Any = "teacher") -> Teacher:
        """One that says what the case says, in turn. Raises ModelNeededError when the case says nothing."""
        if not self.case.replies:
            raise ModelNeededError("it asks a teacher; say what that answers by Case(replies=[…])")
        return ScriptedTeacher(tuple(self.case.replies))

    def get_further_base(self, alias: str) -> Base:
        """A model beside the base, of the kind that its name in the spec promises."""
        if self.base is None:
            return self.get_base()
        from factory.testing.random_models import build_random_base

        return build_random_base(self.root / "models", MODEL_OUTPUT_TYPES.get(alias, self.output_type))

    def rows_job(self, rows: Sequence[Row]) -> RowsJob:
        """A job over rows."""
        return RowsJob(**self.build_job_fields(), rows=rows, base=self.get_base(), task=self.make_task())


def infer_output_type(plugin: Plugin | type[Plugin], case: Case, registry: Registry) -> str:
    """The form of answers that a plugin is about: what it says itself, else that of the case's task, else labels."""
    said = getattr(plugin, "output_type", "")
    if isinstance(said, str) and said:
        return said
    if case.task.startswith("world-"):
        return case.task.removeprefix("world-")
    tasks = {kind.kind: str(getattr(kind, "output_type", "")) for kind in registry.list_classes("task")}
    return tasks.get(case.task, "") or "labels"


def create_trial(plugin: Plugin, case: Case | None = None, root: Path | None = None) -> Trial:
    """A trial of one plugin in this process: `trial(MyEval(), Case(rows=…)).run()` gives what it says, as JSON values.

    The case's files lie in `root`, a fresh temporary folder by default.
    """
    case = case or Case()
    folder = root or Path(tempfile.mkdtemp(prefix="factory-trial-"))
    write_files(case, folder)
    package = type(plugin).__module__.partition(".")[0]
    return Trial(plugin, case, folder, load_world_registry(), ColumnAccess(package))


def shorten_fields(kind: type[Plugin], case: Case) -> dict[str, Any]:
    """The fields of a case, with short answers where nobody said how long: a random model never ends its turn."""
    short = {} if case.rows or "max_new_tokens" not in kind.model_fields else {"max_new_tokens": SHORT_ANSWER_TOKENS}
    return {**short, **case.fields}


def write_files(case: Case, root: Path) -> None:
    """Lay the files of a case into a folder."""
    for name, content in case.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)


@cache
def load_world_registry() -> Registry:
    """What is installed, and the kit's own tasks."""
    return Registry.load([WORLD_FOLDER])
