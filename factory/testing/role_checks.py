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
    NoOpReporter,
    Objective,
    Plugin,
    Probe,
    Row,
    ScoreJob,
    Scores,
    Source,
    Synthesizer,
    Target,
    Task,
)
from factory.testing.sandbox import SEED, ModelNeededError, OffContractError, Trial

EXAMPLE_MANIFEST = {
    "name": "example", "heads": [], "rank": 8, "loader": "peft:PeftModel", "base": {"id": "example/base"}, "modules": 2,
}


def check_yielded_values(values: Any, wanted: type[Any], method: str) -> Iterator[Any]:
    """The values that a method yields. Raises OffContractError when it yields something else."""
    if not isinstance(values, Iterable):
        raise OffContractError(f"{method} gave a {type(values).__name__}; it must yield {wanted.__name__} values")
    for value in values:
        if not isinstance(value, wanted):
            raise OffContractError(f"{method} gave a {type(value).__name__} where a {wanted.__name__} is wanted")
        yield value


def _row_to_json(row: Row) -> dict[str, Any]:
    return {**row.to_json(), "columns": dict(row.columns)}


def _check_source(trial: Trial) -> Any:
    source = cast(Source, trial.plugin)
    rows = list(check_yielded_values(source.iter_rows(_build_source_job(trial)), Row, "rows"))
    _check_declared_columns(rows, source.output_columns, source.tables)
    return [_row_to_json(row) for row in rows]


def _build_source_job(trial: Trial) -> Job:
    return Job(SEED, NoOpReporter(), trial.root, kit_loader=trial.kit_loader)


def _check_declared_columns(rows: Sequence[Row], gives: Sequence[str], tables: Sequence[str]) -> None:
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


def _check_synthesizer(trial: Trial) -> Any:
    synthesizer = cast(Synthesizer, trial.plugin)
    made = list(check_yielded_values(synthesizer.synthesize(trial.rows_job(trial.rows)), Row, "synthesize"))
    for row in made:
        if lacking := sorted(set(synthesizer.output_columns) - set(row.columns)):
            raise OffContractError(
                f"it declares gives = {synthesizer.output_columns}, and the row {row.id!r} has no {lacking[0]!r}"
            )
    known = {row.id for row in trial.rows}
    nameless = next((row.id for row in made if row.id not in known and not row.provenance.generator), None)
    if nameless is not None:
        raise OffContractError(f"the new row {nameless!r} does not say who made it (provenance.generator)")
    return [_row_to_json(row) for row in made]


def _check_curator(trial: Trial) -> Any:
    curator = cast(Curator, trial.plugin)
    decisions = list(check_yielded_values(curator.curate(trial.rows_job(trial.rows)), Decision, "keep"))
    known = {row.id for row in trial.rows}
    if strange := sorted({one.id for one in decisions} - known):
        raise OffContractError(f"keep decided on {strange[0]!r}, which is no row")
    mute = next((one.id for one in decisions if not one.kept and not one.why), None)
    if mute is not None:
        raise OffContractError(f"keep drops {mute!r} and does not say why")
    return [asdict(one) for one in decisions]


def _check_eval(trial: Trial) -> Any:
    judge = cast(Eval, trial.plugin)
    answers = {answer.id: answer for answer in trial.case.build_example_answers(trial.output_type, trial.case.build_example_rows())}
    rows = [row for row in trial.rows if row.id in answers]
    job = ScoreJob(**trial.build_job_fields(), rows=rows, answers=answers, train=trial.rows[:30], validation=trial.rows[30:])
    scores = list(check_yielded_values(judge.score(job), Scores, "score"))
    for metric in judge.metrics:
        for one in scores:
            _check_metric_value(one, metric.name, metric.binary)
    if {one.id for one in scores} != set(answers):
        raise OffContractError(f"score spoke of {len({s.id for s in scores})} rows; there are {len(answers)}")
    names = {metric.name for metric in judge.metrics}
    if judge.primary_metric not in names:
        raise OffContractError(f"primary is {judge.primary_metric!r}; its metrics are {', '.join(sorted(names)) or 'none'}")
    tables = {name: list(lines) for name, lines in judge.build_tables(job).items()}
    return [[asdict(one) for one in scores], dict(judge.compute_totals(job)), tables]


def _check_metric_value(scores: Scores, name: str, binary: bool) -> None:
    value = scores.values.get(name)
    if not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise OffContractError(f"score gave the row {scores.id!r} {value!r} for {name!r}; a finite number is wanted")
    if binary and value not in (0, 1):
        raise OffContractError(f"the metric {name!r} says it is binary, and the row {scores.id!r} got {value!r}")


def _check_contender(trial: Trial) -> Any:
    contender, rows = cast(Contender, trial.plugin), trial.rows[:20]
    answers = list(check_yielded_values(contender.answer(_build_answer_job(trial, rows)), Answer, "answer"))
    if sorted(answer.id for answer in answers) != sorted(row.id for row in rows):
        raise OffContractError(f"answer gave {len(answers)} answers to {len(rows)} rows, or answers to other rows")
    at = {row.id: row for row in rows}
    for answer in answers:
        check_output_type(contender.output_type, at[answer.id], answer)
    return [asdict(answer) for answer in answers]


def _build_answer_job(trial: Trial, rows: Sequence[Row]) -> AnswerJob:
    """Rows to answer, others to learn and to choose on, and an adapter of the kit's own objective."""
    contender = cast(Contender, trial.plugin)
    objective = cast(Objective, trial.registry.make_plugin("objective", {"kind": f"world-{_get_kit_output_type(trial.output_type)}"}))
    adapter = trial.root / "adapter"
    adapter.mkdir(exist_ok=True)
    (adapter / "learned.json").write_text('{"cat": {"animal": 3}}')
    return AnswerJob(
        **trial.build_job_fields(), rows=rows, train=trial.rows[30:], validation=trial.rows[20:30], base=trial.get_base(),
        task=trial.make_task(), objective=objective, adapter=adapter if contender.uses_adapter else None,
        validation_scorer=lambda rows, answers: float(len(answers)),
    )


def _get_kit_output_type(form: str) -> str:
    return form if form in ("labels", "ranking", "text") else "labels"


def check_output_type(form: str, row: Row, answer: Answer) -> None:
    """Raise OffContractError for an answer that is not of its form."""
    output = answer.output
    if form == "ranking" and len(output) != len(row.columns["candidates"]):
        count = len(row.columns["candidates"])
        raise OffContractError(f"{len(output)} scores for the {count} candidates of {row.id!r}")
    if form == "labels" and (not isinstance(output, Mapping) or abs(sum(output.values()) - 1) > 0.01):
        raise OffContractError(f"the answer to {row.id!r} is no mapping of labels whose probabilities sum to 1")
    if form == "text" and not isinstance(output, str):
        raise OffContractError(f"the answer to {row.id!r} is a {type(output).__name__}, a text is wanted")


def _check_target(trial: Trial) -> Any:
    target = cast(Target, trial.plugin)
    planned = {name: EXAMPLE_MANIFEST[name] for name in ("heads", "rank", "loader")}
    said = []
    for facts in ({**planned, "base": "example/base"}, EXAMPLE_MANIFEST, {**EXAMPLE_MANIFEST, "rank": 4096, "heads": ["other"]}):
        reason = target.explain_refusal(facts)
        if not isinstance(reason, str):
            raise OffContractError(f"refuses gave a {type(reason).__name__}; a reason is wanted, or an empty text")
        said.append(reason)
    return said


def _check_task(trial: Trial) -> Any:
    task = cast(Task, trial.plugin)
    _check_template_slots(task, trial)
    rows = list(check_yielded_values(task.prepare(trial.rows_job(trial.rows)), Row, "prepare"))
    if [row.id for row in rows] != [row.id for row in trial.rows]:
        raise OffContractError("prepare must give back every row, in order")
    if lacking := sorted(set(task.added_columns) - set(rows[0].columns)):
        raise OffContractError(f"it declares prepared = {task.added_columns}, and prepare adds no {lacking[0]!r}")
    found = list(check_yielded_values(task.audit(trial.rows_job(rows)), Finding, "audit"))
    shown = [task.describe_row(row, trial.tables, None) for row in rows[:5]]
    asked = [task.build_query_row(task.extract_query(row)) for row in rows[:5]]
    if task.text_column not in rows[0].columns:
        raise OffContractError(f"its text is the column {task.text_column!r}, which its rows do not have")
    again = [row.columns.get(task.text_column) for row in asked]
    if task.text_column in task.columns and again != [row.columns[task.text_column] for row in rows[:5]]:
        raise OffContractError("question(asked(row)) gives back another row than the one that was asked about")
    slices = [dict(task.get_row_slices(row)) for row in rows]
    return [[_row_to_json(row) for row in rows], [asdict(one) for one in found], shown, slices]


def _check_template_slots(task: Task, trial: Trial) -> None:
    from factory.text.templates import list_slots

    known = {*task.columns, *task.added_columns, *(c for t in trial.tables.values() for r in t.values() for c in r.columns)}
    for name, template in task.get_templates().items():
        if strange := sorted(set(list_slots(template)) - known - set(trial.rows[0].columns)):
            raise OffContractError(f"the template {name!r} reads {strange[0]!r}, which no row has")


def _check_probe(trial: Trial) -> Any:
    raise ModelNeededError("a probe asks models")


def _check_objective(trial: Trial) -> Any:
    from factory.testing.objective_checks import check_learning

    if trial.base is None:
        raise ModelNeededError("an objective learns")
    return check_learning(cast(Objective, trial.plugin), trial)


INTERRUPTIBLE_CALLS: Mapping[str, Callable[[Trial], Any]] = {
    "source": lambda trial: cast(Source, trial.plugin).iter_rows(_build_source_job(trial)),
    "synthesizer": lambda trial: cast(Synthesizer, trial.plugin).synthesize(trial.rows_job(trial.rows)),
    "curator": lambda trial: cast(Curator, trial.plugin).curate(trial.rows_job(trial.rows)),
    "contender": lambda trial: cast(Contender, trial.plugin).answer(_build_answer_job(trial, trial.rows[:20])),
    "task": lambda trial: cast(Task, trial.plugin).prepare(trial.rows_job(trial.rows)),
}
"""Role → what yields, to be broken off after two values."""

ROLE_CHECKS: tuple[tuple[type[Plugin], Callable[[Trial], Any]], ...] = (
    (Source, _check_source), (Synthesizer, _check_synthesizer), (Curator, _check_curator), (Probe, _check_probe), (Eval, _check_eval),
    (Contender, _check_contender), (Target, _check_target), (Task, _check_task), (Objective, _check_objective),
)
"""Role → how to try it; the first that fits counts."""
