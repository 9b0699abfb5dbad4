"""Call what a plugin does, by its role, on a small job; what comes out as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from factory.api import (
    Answer,
    AnswerJob,
    Contender,
    Curator,
    Decision,
    Eval,
    Finding,
    Job,
    Objective,
    Plugin,
    Probe,
    Row,
    ScoreJob,
    Scores,
    Silent,
    Source,
    Synthesizer,
    Target,
    Task,
)
from factory.testing.trying import SEED, ModelNeededError, OffContractError, Trial

MANIFEST = {
    "name": "example", "heads": [], "rank": 8, "loader": "peft:PeftModel", "base": {"id": "example/base"}, "modules": 2,
}


def each(values: Any, wanted: type[Any], method: str) -> Iterator[Any]:
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
    rows = list(each(source.rows(_source_job(trial)), Row, "rows"))
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
    made = list(each(synthesizer.synthesize(trial.rows_job(trial.rows)), Row, "synthesize"))
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
    decisions = list(each(curator.keep(trial.rows_job(trial.rows)), Decision, "keep"))
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
    scores = list(each(judge.score(job), Scores, "score"))
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
    answers = list(each(contender.answer(_answer_job(trial, rows)), Answer, "answer"))
    if sorted(answer.id for answer in answers) != sorted(row.id for row in rows):
        raise OffContractError(f"answer gave {len(answers)} answers to {len(rows)} rows, or answers to other rows")
    at = {row.id: row for row in rows}
    for answer in answers:
        formed(contender.answers, at[answer.id], answer)
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


def formed(form: str, row: Row, answer: Answer) -> None:
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
    rows = list(each(task.prepare(trial.rows_job(trial.rows)), Row, "prepare"))
    if [row.id for row in rows] != [row.id for row in trial.rows]:
        raise OffContractError("prepare must give back every row, in order")
    if lacking := sorted(set(task.prepared) - set(rows[0].columns)):
        raise OffContractError(f"it declares prepared = {task.prepared}, and prepare adds no {lacking[0]!r}")
    found = list(each(task.audit(trial.rows_job(rows)), Finding, "audit"))
    shown = [task.show(row, trial.tables, None) for row in rows[:5]]
    asked = [task.question(task.asked(row)) for row in rows[:5]]
    if task.text not in rows[0].columns:
        raise OffContractError(f"its text is the column {task.text!r}, which its rows do not have")
    again = [row.columns.get(task.text) for row in asked]
    if task.text in task.columns and again != [row.columns[task.text] for row in rows[:5]]:
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
