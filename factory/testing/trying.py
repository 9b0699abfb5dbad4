"""One plugin on trial: its job, its world, its teacher, and what it reads meanwhile."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from factory.api import Ask, Base, Kit, Plugin, Reply, Reporter, Row, RowsJob, Silent, Tables, Task, Teacher
from factory.plugins import Registry
from factory.testing.case import Case
from factory.testing.reading import Reading

HERE = Path(__file__).parent
WORLD = HERE / "world"
"""The project-local folder that holds the kit's own tasks."""
SEED = 7
TOKENS = 13
FORMS = {"embedder": "labels", "prompter": "text"}
"""Further model → the form of answers that its kind of base is for."""


class ModelNeededError(Exception):
    """The plugin asks for a model, and this trial has none."""


class OffContractError(Exception):
    """The plugin gave something that its role does not allow."""


def _no_models() -> Kit:
    raise ModelNeededError("it needs a model")


@dataclass
class Scripted:
    """A teacher whose answers are known before: one reply after another, from the first again after the last."""

    replies: tuple[str, ...]
    model: str = "scripted"
    said: int = 0

    def ask(self, asks: Iterable[Ask], report: Reporter | None = None) -> Iterator[Reply]:
        """A reply to each, in order; one that does not fit the schema has failed."""
        for ask in asks:
            text = self.replies[self.said % len(self.replies)]
            self.said += 1
            try:
                value = ask.schema.model_validate_json(text) if ask.schema else None
            except ValueError as error:
                yield Reply(text, failed=str(error).splitlines()[0], model=self.model)
                continue
            yield Reply(text, value, model=self.model, prompt="0" * 16)


@dataclass
class Trial:
    """One plugin, its case, and where its files lie. `reading` hears which columns it looks at."""

    plugin: Plugin
    case: Case
    root: Path
    registry: Registry
    reading: Reading
    toolbox: Callable[[], Kit] = _no_models
    base: Base | None = None

    def __post_init__(self) -> None:
        self.rows = [self.reading.lend(row) for row in self.case.examples()]
        self.tables: Tables = self.case.side_tables()

    @property
    def form(self) -> str:
        """The form of answers that the trial is about."""
        return form_of(self.plugin, self.case, self.registry)

    def task(self) -> Task:
        """The task of the trial: its own, the case's, or the kit's for the form of answers."""
        if isinstance(self.plugin, Task):
            return self.plugin
        form = self.form if f"world-{self.form}" in {t.kind for t in self.registry.classes("task")} else "labels"
        return cast(Task, self.registry.make("task", {"kind": self.case.task or f"world-{form}"}))

    def run(self) -> Any:
        """What the plugin makes of the case."""
        from factory.testing.drive import DRIVES

        drive = next(drive for role, drive in DRIVES if isinstance(self.plugin, role))
        return drive(self)

    def common(self) -> dict[str, Any]:
        """What every job carries."""
        return {
            "seed": SEED, "report": Silent(), "root": self.root, "tables": self.tables, "toolbox": self.toolbox,
            "models": {name: self.further(name) for name in self.plugin.uses()}, "teachers": self.teacher,
        }

    def lent(self) -> Base:
        """The base model; a folder that nobody may look into when the trial has none."""
        return self.base or Base(self.root / "no-model", "example/base", "1", "0" * 64, "MIT")

    def teacher(self, alias: Any = "teacher") -> Teacher:
        """One that says what the case says, in turn. Raises ModelNeededError when the case says nothing."""
        if not self.case.replies:
            raise ModelNeededError("it asks a teacher; say what that answers by Case(replies=[…])")
        return Scripted(tuple(self.case.replies))

    def further(self, alias: str) -> Base:
        """A model beside the base, of the kind that its name in the spec promises."""
        if self.base is None:
            return self.lent()
        from factory.testing.models import base

        return base(self.root / "models", FORMS.get(alias, self.form))

    def rows_job(self, rows: Sequence[Row]) -> RowsJob:
        """A job over rows."""
        return RowsJob(**self.common(), rows=rows, base=self.lent(), task=self.task())


def form_of(plugin: Plugin | type[Plugin], case: Case, registry: Registry) -> str:
    """The form of answers that a plugin is about: what it says itself, else that of the case's task, else labels."""
    said = getattr(plugin, "answers", "")
    if isinstance(said, str) and said:
        return said
    if case.task.startswith("world-"):
        return case.task.removeprefix("world-")
    tasks = {kind.kind: str(getattr(kind, "answers", "")) for kind in registry.classes("task")}
    return tasks.get(case.task, "") or "labels"


def trial(plugin: Plugin, case: Case | None = None, root: Path | None = None) -> Trial:
    """A trial of one plugin in this process: `trial(MyEval(), Case(rows=…)).run()` gives what it says, as JSON values.

    The case's files lie in `root`, a fresh temporary folder by default.
    """
    case = case or Case()
    folder = root or Path(tempfile.mkdtemp(prefix="factory-trial-"))
    write_files(case, folder)
    package = type(plugin).__module__.partition(".")[0]
    return Trial(plugin, case, folder, world(), Reading(package))


def briefly(kind: type[Plugin], case: Case) -> dict[str, Any]:
    """The fields of a case, with short answers where nobody said how long: a random model never ends its turn."""
    short = {} if case.rows or "max_new_tokens" not in kind.model_fields else {"max_new_tokens": TOKENS}
    return {**short, **case.fields}


def write_files(case: Case, root: Path) -> None:
    """Lay the files of a case into a folder."""
    for name, content in case.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)


@cache
def world() -> Registry:
    """What is installed, and the kit's own tasks."""
    return Registry.load([WORLD])
