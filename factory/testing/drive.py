"""Call what a plugin does, by its role, on a small job; what comes out as JSON values."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from factory.api import (
    Answer,
    AnswerJob,
    Base,
    Contender,
    Curator,
    Decision,
    Eval,
    Finding,
    Job,
    Kit,
    Objective,
    Plugin,
    Probe,
    Row,
    RowsJob,
    ScoreJob,
    Scores,
    Silent,
    Source,
    Synthesizer,
    Tables,
    Target,
    Task,
)
from factory.plugins import Registry
from factory.testing.case import Case
from factory.testing.reading import Reading

HERE = Path(__file__).parent
WORLD = HERE / "world"
"""The project-local folder that holds the kit's own tasks."""
SEED = 7
MANIFEST = {
    "name": "example", "heads": [], "rank": 8, "loader": "peft:PeftModel", "base": {"id": "example/base"}, "modules": 2,
}


class ModelNeededError(Exception):
    """The plugin asks for a model, and this trial has none."""


class OffContractError(Exception):
    """The plugin gave something that its role does not allow."""


def _no_models() -> Kit:
    raise ModelNeededError("it needs a model")


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
        return str(getattr(self.plugin, "answers", "")) or "labels"

    def task(self) -> Task:
        """The task of the trial: its own, the case's, or the kit's for the form of answers."""
        if isinstance(self.plugin, Task):
            return self.plugin
        form = self.form if f"world-{self.form}" in {t.kind for t in self.registry.classes("task")} else "labels"
        return cast(Task, self.registry.make("task", {"kind": self.case.task or f"world-{form}"}))

    def run(self) -> Any:
        """What the plugin makes of the case."""
        drive = next(drive for role, drive in DRIVES if isinstance(self.plugin, role))
        return drive(self)

    def common(self) -> dict[str, Any]:
        """What every job carries."""
        return {
            "seed": SEED, "report": Silent(), "root": self.root, "tables": self.tables, "toolbox": self.toolbox,
            "models": {name: self.lent() for name in self.plugin.uses()},
        }

    def lent(self) -> Base:
        """The base model; a folder that nobody may look into when the trial has none."""
        return self.base or Base(self.root / "no-model", "example/base", "1", "0" * 64, "MIT")

    def rows_job(self, rows: Sequence[Row]) -> RowsJob:
        """A job over rows."""
        return RowsJob(**self.common(), rows=rows, base=self.lent(), task=self.task())


def trial(plugin: Plugin, case: Case | None = None, root: Path | None = None) -> Trial:
    """A trial of one plugin in this process: `trial(MyEval(), Case(rows=…)).run()` gives what it says, as JSON values.

    The case's files lie in `root`, a fresh temporary folder by default.
    """
    case = case or Case()
    folder = root or Path(tempfile.mkdtemp(prefix="factory-trial-"))
    write_files(case, folder)
    package = type(plugin).__module__.partition(".")[0]
    return Trial(plugin, case, folder, world(), Reading(package))


def write_files(case: Case, root: Path) -> None:
    """Lay the files of a case into a folder."""
    for name, content in case.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)


@cache
def world() -> Registry:
    """What is installed, and the kit's own tasks."""
    return Registry.load([WORLD])


def _each(values: Any, wanted: type[Any], method: str) -> Iterator[Any]:
    """The values that a method yields. Raises OffContractError when it yields something else."""
    if not isinstance(values, Iterable):
        raise OffContractError(f"{method} gave a {type(values).__name__}; it must yield {wanted.__name__} values")
    for value in values:
        if not isinstance(value, wanted):
            raise OffContractError(f"{method} gave a {type(value).__name__} where a {wanted.__name__} is wanted")
        yield value


def _row(row: Row) -> dict[str, Any]:
    return {**row.to_json(), "columns": dict(row.columns)}


def _source(trial: Trial) -> Any:
    source = cast(Source, trial.plugin)
    rows = list(_each(source.rows(_source_job(trial)), Row, "rows"))
    _promised(rows, source.gives, source.tables)
    return [_row(row) for row in rows]


def _source_job(trial: Trial) -> Job:
    return Job(SEED, Silent(), trial.root, toolbox=trial.toolbox)


def _promised(rows: Sequence[Row], gives: Sequence[str], tables: Sequence[str]) -> None:
    """Raise OffContractError for rows that lack what the class declares."""
    examples = [row for row in rows if not row.table]
    if not examples:
        raise OffContractError("rows gave no example rows; try it on a case that has some")
    for row in examples:
        if lacking := sorted(set(gives) - set(row.columns)):
            raise OffContractError(f"it declares gives = {tuple(gives)}, and the row {row.id!r} has no {lacking[0]!r}")
        if not row.provenance.source:
            raise OffContractError(f"the row {row.id!r} does not say where it comes from (provenance.source)")
    filled = {row.table for row in rows}
    if empty := sorted(set(tables) - filled):
        raise OffContractError(f"it declares the side table {empty[0]!r} and gave nothing for it")


def _synthesizer(trial: Trial) -> Any:
    synthesizer = cast(Synthesizer, trial.plugin)
    made = list(_each(synthesizer.synthesize(trial.rows_job(trial.rows)), Row, "synthesize"))
    for row in made:
        if lacking := sorted(set(synthesizer.gives) - set(row.columns)):
            raise OffContractError(
                f"it declares gives = {synthesizer.gives}, and the row {row.id!r} has no {lacking[0]!r}"
            )
    known = {row.id for row in trial.rows}
    nameless = next((row.id for row in made if row.id not in known and not row.provenance.generator), None)
    if nameless is not None:
        raise OffContractError(f"the new row {nameless!r} does not say who made it (provenance.generator)")
    return [_row(row) for row in made]


def _curator(trial: Trial) -> Any:
    curator = cast(Curator, trial.plugin)
    decisions = list(_each(curator.keep(trial.rows_job(trial.rows)), Decision, "keep"))
    known = {row.id for row in trial.rows}
    if strange := sorted({one.id for one in decisions} - known):
        raise OffContractError(f"keep decided on {strange[0]!r}, which is no row")
    mute = next((one.id for one in decisions if not one.kept and not one.why), None)
    if mute is not None:
        raise OffContractError(f"keep drops {mute!r} and does not say why")
    return [asdict(one) for one in decisions]


def _eval(trial: Trial) -> Any:
    judge = cast(Eval, trial.plugin)
    answers = {answer.id: answer for answer in trial.case.outputs(trial.form, trial.case.examples())}
    rows = [row for row in trial.rows if row.id in answers]
    job = ScoreJob(**trial.common(), rows=rows, answers=answers, train=trial.rows[:30], validation=trial.rows[30:])
    scores = list(_each(judge.score(job), Scores, "score"))
    for metric in judge.metrics:
        for one in scores:
            _number(one, metric.name, metric.binary)
    if {one.id for one in scores} != set(answers):
        raise OffContractError(f"score spoke of {len({s.id for s in scores})} rows; there are {len(answers)}")
    names = {metric.name for metric in judge.metrics}
    if judge.primary not in names:
        raise OffContractError(f"primary is {judge.primary!r}; its metrics are {', '.join(sorted(names)) or 'none'}")
    tables = {name: list(lines) for name, lines in judge.tables(job).items()}
    return [[asdict(one) for one in scores], dict(judge.totals(job)), tables]


def _number(scores: Scores, name: str, binary: bool) -> None:
    value = scores.values.get(name)
    if not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise OffContractError(f"score gave the row {scores.id!r} {value!r} for {name!r}; a finite number is wanted")
    if binary and value not in (0, 1):
        raise OffContractError(f"the metric {name!r} says it is binary, and the row {scores.id!r} got {value!r}")


def _contender(trial: Trial) -> Any:
    contender, rows = cast(Contender, trial.plugin), trial.rows[:20]
    answers = list(_each(contender.answer(_answer_job(trial, rows)), Answer, "answer"))
    if sorted(answer.id for answer in answers) != sorted(row.id for row in rows):
        raise OffContractError(f"answer gave {len(answers)} answers to {len(rows)} rows, or answers to other rows")
    at = {row.id: row for row in rows}
    for answer in answers:
        _formed(contender.answers, at[answer.id], answer)
    return [asdict(answer) for answer in answers]


def _answer_job(trial: Trial, rows: Sequence[Row]) -> AnswerJob:
    """Rows to answer, others to learn and to choose on, and an adapter of the kit's own objective."""
    contender = cast(Contender, trial.plugin)
    objective = cast(Objective, trial.registry.make("objective", {"kind": f"world-{_known(trial.form)}"}))
    adapter = trial.root / "adapter"
    adapter.mkdir(exist_ok=True)
    (adapter / "learned.json").write_text('{"cat": {"animal": 3}}')
    return AnswerJob(
        **trial.common(), rows=rows, train=trial.rows[30:], validation=trial.rows[20:30], base=trial.lent(),
        task=trial.task(), objective=objective, adapter=adapter if contender.uses_adapter else None,
        judge=lambda rows, answers: float(len(answers)),
    )


def _known(form: str) -> str:
    return form if form in ("labels", "ranking", "text") else "labels"


def _formed(form: str, row: Row, answer: Answer) -> None:
    """Raise OffContractError for an answer that is not of its form."""
    output = answer.output
    if form == "ranking" and len(output) != len(row.columns["candidates"]):
        count = len(row.columns["candidates"])
        raise OffContractError(f"{len(output)} scores for the {count} candidates of {row.id!r}")
    if form == "labels" and (not isinstance(output, Mapping) or abs(sum(output.values()) - 1) > 0.01):
        raise OffContractError(f"the answer to {row.id!r} is no mapping of labels whose probabilities sum to 1")
    if form == "text" and not isinstance(output, str):
        raise OffContractError(f"the answer to {row.id!r} is a {type(output).__name__}, a text is wanted")


def _target(trial: Trial) -> Any:
    target = cast(Target, trial.plugin)
    planned = {name: MANIFEST[name] for name in ("heads", "rank", "loader")}
    said = []
    for facts in ({**planned, "base": "example/base"}, MANIFEST, {**MANIFEST, "rank": 4096, "heads": ["other"]}):
        reason = target.refuses(facts)
        if not isinstance(reason, str):
            raise OffContractError(f"refuses gave a {type(reason).__name__}; a reason is wanted, or an empty text")
        said.append(reason)
    return said


def _task(trial: Trial) -> Any:
    task = cast(Task, trial.plugin)
    _templates(task, trial)
    rows = list(_each(task.prepare(trial.rows_job(trial.rows)), Row, "prepare"))
    if [row.id for row in rows] != [row.id for row in trial.rows]:
        raise OffContractError("prepare must give back every row, in order")
    if lacking := sorted(set(task.prepared) - set(rows[0].columns)):
        raise OffContractError(f"it declares prepared = {task.prepared}, and prepare adds no {lacking[0]!r}")
    found = list(_each(task.audit(trial.rows_job(rows)), Finding, "audit"))
    shown = [task.show(row, trial.tables, None) for row in rows[:5]]
    asked = [task.question(task.asked(row)) for row in rows[:5]]
    if task.text not in rows[0].columns:
        raise OffContractError(f"its text is the column {task.text!r}, which its rows do not have")
    again = [row.columns.get(task.text) for row in asked]
    if again != [row.columns[task.text] for row in rows[:5]]:
        raise OffContractError("question(asked(row)) gives back another row than the one that was asked about")
    slices = [dict(task.slices(row)) for row in rows]
    return [[_row(row) for row in rows], [asdict(one) for one in found], shown, slices]


def _templates(task: Task, trial: Trial) -> None:
    from factory.api.render import slots

    known = {*task.columns, *task.prepared, *(c for t in trial.tables.values() for r in t.values() for c in r.columns)}
    for name, template in task.templates().items():
        if strange := sorted(set(slots(template)) - known - set(trial.rows[0].columns)):
            raise OffContractError(f"the template {name!r} reads {strange[0]!r}, which no row has")


def _probe(trial: Trial) -> Any:
    raise ModelNeededError("a probe asks models")


def _objective(trial: Trial) -> Any:
    from factory.testing.learning import learned

    if trial.base is None:
        raise ModelNeededError("an objective learns")
    return learned(cast(Objective, trial.plugin), trial)


BROKEN: Mapping[str, Callable[[Trial], Any]] = {
    "source": lambda trial: cast(Source, trial.plugin).rows(_source_job(trial)),
    "synthesizer": lambda trial: cast(Synthesizer, trial.plugin).synthesize(trial.rows_job(trial.rows)),
    "curator": lambda trial: cast(Curator, trial.plugin).keep(trial.rows_job(trial.rows)),
    "contender": lambda trial: cast(Contender, trial.plugin).answer(_answer_job(trial, trial.rows[:20])),
    "task": lambda trial: cast(Task, trial.plugin).prepare(trial.rows_job(trial.rows)),
}
"""Role → what yields, to be broken off after two values."""

DRIVES: tuple[tuple[type[Plugin], Callable[[Trial], Any]], ...] = (
    (Source, _source), (Synthesizer, _synthesizer), (Curator, _curator), (Probe, _probe), (Eval, _eval),
    (Contender, _contender), (Target, _target), (Task, _task), (Objective, _objective),
)
"""Role → how to try it; the first that fits counts."""
