"""Dynamic checks by role: call a plugin's methods on a small job, validate what it yields, return it as JSON."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from factory.api import (
    Answer,
    AnswerJob,
    Artifact,
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
from factory.api.label_sets import LABEL_SETS
from factory.testing.case import Case
from factory.testing.column_access import ColumnAccess
from factory.testing.objective_checks import check_learning
from factory.testing.sandbox import (
    SEED,
    ModelNeededError,
    OffContractError,
    Trial,
    check_output_type,
    check_yielded_values,
    load_world_registry,
    write_files,
)

ANSWER_TYPES = ("labels", LABEL_SETS, "ranking", "text")
"""The output types of which the kit has a task and an objective."""
EXAMPLE_MANIFEST = {
    "name": "example", "heads": [], "rank": 8, "loader": "peft:PeftModel", "base": {"id": "example/base"}, "modules": 2,
    "artifact": "adapter",
}


def _row_to_json(row: Row) -> dict[str, Any]:
    return {**row.to_json(), "columns": dict(row.columns)}


def _check_source(trial: Trial) -> Any:
    source = cast(Source, trial.plugin)
    rows = list(check_yielded_values(source.iter_rows(_build_source_job(trial)), Row, "iter_rows"))
    _check_declared_columns(rows, source.output_columns, source.tables)
    return [_row_to_json(row) for row in rows]


def _build_source_job(trial: Trial) -> Job:
    return Job(SEED, NoOpReporter(), trial.root, kit_loader=trial.kit_loader)


def _check_declared_columns(rows: Sequence[Row], output_columns: Sequence[str], tables: Sequence[str]) -> None:
    """Raise OffContractError for rows that lack what the class declares."""
    examples = [row for row in rows if not row.table]
    if not examples:
        raise OffContractError("iter_rows yielded no example rows; pass a Case with files that have some")
    for row in examples:
        if missing := sorted(set(output_columns) - set(row.columns)):
            raise OffContractError(f"output_columns has {missing[0]!r}, but the row {row.id!r} has no such column")
        if not row.provenance.source:
            raise OffContractError(f"the row {row.id!r} has no provenance.source")
    if empty := sorted(set(tables) - {row.table for row in rows}):
        raise OffContractError(f"tables has {empty[0]!r}, but iter_rows yielded no row of it")


def _check_synthesizer(trial: Trial) -> Any:
    synthesizer = cast(Synthesizer, trial.plugin)
    rows = list(check_yielded_values(synthesizer.synthesize(trial.build_rows_job(trial.rows)), Row, "synthesize"))
    for row in rows:
        if missing := sorted(set(synthesizer.output_columns) - set(row.columns)):
            raise OffContractError(f"output_columns has {missing[0]!r}, but the row {row.id!r} has no such column")
    known = {row.id for row in trial.rows}
    if without := next((row.id for row in rows if row.id not in known and not row.provenance.generator), None):
        raise OffContractError(f"the new row {without!r} has no provenance.generator; use make_synthetic_row")
    return [_row_to_json(row) for row in rows]


def _check_curator(trial: Trial) -> Any:
    curator = cast(Curator, trial.plugin)
    decisions = list(check_yielded_values(curator.curate(trial.build_rows_job(trial.rows)), Decision, "curate"))
    if unknown := sorted({decision.id for decision in decisions} - {row.id for row in trial.rows}):
        raise OffContractError(f"curate decided on {unknown[0]!r}, which is not a row")
    unexplained = next((decision.id for decision in decisions if not decision.kept and not decision.why), None)
    if unexplained is not None:
        raise OffContractError(f"curate drops {unexplained!r} without a reason; set Decision.why")
    return [asdict(decision) for decision in decisions]


def _check_eval(trial: Trial) -> Any:
    if isinstance(trial.plugin, Probe):
        raise ModelNeededError("a probe needs models")
    plugin = cast(Eval, trial.plugin)
    example_answers = trial.case.build_example_answers(trial.output_type, trial.case.build_example_rows())
    answers = {answer.id: answer for answer in example_answers}
    rows = [row for row in trial.rows if row.id in answers]
    fields = trial.build_job_fields()
    job = ScoreJob(**fields, rows=rows, answers=answers, train=trial.rows[:30], validation=trial.rows[30:],
                   task=trial.make_task())
    scores = list(check_yielded_values(plugin.score(job), Scores, "score"))
    for metric in plugin.metrics:
        for row_scores in scores:
            _check_metric_value(row_scores, metric.name, metric.binary)
    scored = {row_scores.id for row_scores in scores}
    if scored != set(answers):
        raise OffContractError(f"score yielded {len(scored)} rows, expected {len(answers)}")
    names = {metric.name for metric in plugin.metrics}
    if plugin.primary_metric not in names:
        known = ", ".join(sorted(names)) or "none"
        raise OffContractError(f"primary_metric is {plugin.primary_metric!r}, which is not in metrics ({known})")
    _check_total_counts(plugin, job)
    tables = {name: list(lines) for name, lines in plugin.build_tables(job).items()}
    return [[asdict(row_scores) for row_scores in scores], dict(plugin.compute_totals(job)), tables]


def _check_total_counts(plugin: Eval, job: ScoreJob) -> None:
    """Check that the totals which may decide the gate are there, and follow from their counts if there are any."""
    import numpy as np

    totals = plugin.compute_totals(job)
    for metric in plugin.total_metrics:
        if metric.name not in totals:
            raise OffContractError(f"total_metrics has {metric.name!r}, which compute_totals lacks")
        counts = np.asarray(plugin.list_total_counts(metric.name, job), dtype=np.float64)
        if not counts.size:
            continue
        found = float(plugin.compute_total_from_counts(metric.name, counts.sum(axis=0)[None, :])[0])
        if not np.isclose(found, totals[metric.name], rtol=0, atol=1e-9):
            text = f"{metric.name!r} is {totals[metric.name]} in compute_totals, and {found} of its counts"
            raise OffContractError(text)


def _check_metric_value(scores: Scores, name: str, binary: bool) -> None:
    value = scores.values.get(name)
    if not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise OffContractError(f"score gave {value!r} for {name!r} of row {scores.id!r}; expected a finite number")
    if binary and value not in (0, 1):
        raise OffContractError(f"the binary metric {name!r} is {value!r} for the row {scores.id!r}; expected 0 or 1")


def _check_contender(trial: Trial) -> Any:
    contender, rows = cast(Contender, trial.plugin), trial.rows[:20]
    answers = list(check_yielded_values(contender.answer(_build_answer_job(trial, rows)), Answer, "answer"))
    if sorted(answer.id for answer in answers) != sorted(row.id for row in rows):
        raise OffContractError(f"answer yielded {len(answers)} answers to {len(rows)} rows, or answers to other rows")
    rows_by_id = {row.id: row for row in rows}
    for answer in answers:
        check_output_type(contender.output_type, rows_by_id[answer.id], answer)
    # Details that a contender does not give are no part of its output.
    return [{n: value for n, value in asdict(answer).items() if n != "details" or value} for answer in answers]


def _build_answer_job(trial: Trial, rows: Sequence[Row]) -> AnswerJob:
    """Build a job with rows to answer, other rows for train and validation, and an artifact of the kit's objective."""
    contender = cast(Contender, trial.plugin)
    output_type = trial.output_type if trial.output_type in ANSWER_TYPES else "labels"
    objective = cast(Objective, trial.registry.make_plugin("objective", {"kind": f"world-{output_type}"}))
    artifact = Artifact("adapter", trial.root / "artifact", trial.get_base())
    artifact.folder.mkdir(exist_ok=True)
    (artifact.folder / "learned.json").write_text('{"cat": {"animal": 3}}')
    return AnswerJob(
        **trial.build_job_fields(), rows=rows, train=trial.rows[30:], validation=trial.rows[20:30],
        base=trial.get_base(), task=trial.make_task(), objective=objective,
        artifact=artifact if contender.uses_artifact else None,
        validation_scorer=lambda rows, answers: float(len(answers)),
    )


def _check_target(trial: Trial) -> Any:
    target = cast(Target, trial.plugin)
    planned = {name: EXAMPLE_MANIFEST[name] for name in ("heads", "rank", "loader")}
    unusual = {**EXAMPLE_MANIFEST, "rank": 4096, "heads": ["other"]}
    weights = {name: value for name, value in EXAMPLE_MANIFEST.items() if name != "rank"} | {"artifact": "weights"}
    reasons = []
    for manifest in ({**planned, "base": "example/base"}, EXAMPLE_MANIFEST, unusual, weights):
        reason = target.explain_refusal(manifest)
        if not isinstance(reason, str):
            raise OffContractError(f"explain_refusal returned {type(reason).__name__}, expected str")
        reasons.append(reason)
    return reasons


def _check_task(trial: Trial) -> Any:
    task = cast(Task, trial.plugin)
    _check_template_slots(task, trial)
    rows = list(check_yielded_values(task.prepare(trial.build_rows_job(trial.rows)), Row, "prepare"))
    if [row.id for row in rows] != [row.id for row in trial.rows]:
        raise OffContractError("prepare must yield every row, in order")
    if missing := sorted(set(task.added_columns) - set(rows[0].columns)):
        raise OffContractError(f"added_columns has {missing[0]!r}, but prepare does not add it")
    findings = list(check_yielded_values(task.audit(trial.build_rows_job(rows)), Finding, "audit"))
    descriptions = [task.describe_row(row, trial.tables, None) for row in rows[:5]]
    query_rows = [task.build_query_row(task.extract_query(row)) for row in rows[:5]]
    if task.text_column not in rows[0].columns:
        raise OffContractError(f"text_column is {task.text_column!r}, which its rows do not have")
    texts = [row.columns.get(task.text_column) for row in query_rows]
    if task.text_column in task.columns and texts != [row.columns[task.text_column] for row in rows[:5]]:
        raise OffContractError("build_query_row(extract_query(row)) has another text than the row")
    slices = [dict(task.get_row_slices(row)) for row in rows]
    return [[_row_to_json(row) for row in rows], [asdict(finding) for finding in findings], descriptions, slices]


def _check_template_slots(task: Task, trial: Trial) -> None:
    from factory.text.templates import list_slots

    in_tables = {column for table in trial.tables.values() for row in table.values() for column in row.columns}
    known = {*task.columns, *task.added_columns, *in_tables}
    for name, template in task.get_templates().items():
        if unknown := sorted(set(list_slots(template)) - known - set(trial.rows[0].columns)):
            raise OffContractError(f"the template {name!r} reads {unknown[0]!r}, which no row has")


def _check_objective(trial: Trial) -> Any:
    if trial.base is None:
        raise ModelNeededError("an objective needs a model")
    return check_learning(cast(Objective, trial.plugin), trial)


INTERRUPTIBLE_CALLS: Mapping[str, Callable[[Trial], Any]] = {
    "source": lambda trial: cast(Source, trial.plugin).iter_rows(_build_source_job(trial)),
    "synthesizer": lambda trial: cast(Synthesizer, trial.plugin).synthesize(trial.build_rows_job(trial.rows)),
    "curator": lambda trial: cast(Curator, trial.plugin).curate(trial.build_rows_job(trial.rows)),
    "contender": lambda trial: cast(Contender, trial.plugin).answer(_build_answer_job(trial, trial.rows[:20])),
    "task": lambda trial: cast(Task, trial.plugin).prepare(trial.build_rows_job(trial.rows)),
}
"""Role → a generator that can be interrupted after two values."""

ROLE_CHECKS: tuple[tuple[type[Plugin], Callable[[Trial], Any]], ...] = (
    (Source, _check_source), (Synthesizer, _check_synthesizer), (Curator, _check_curator),
    (Eval, _check_eval), (Contender, _check_contender), (Target, _check_target), (Task, _check_task),
    (Objective, _check_objective),
)
"""(base class, check); the first match applies."""


def check_role(trial: Trial) -> Any:
    """Call the plugin of a trial as its role is called; return its output as JSON values. Raises OffContractError."""
    return next(check for role, check in ROLE_CHECKS if isinstance(trial.plugin, role))(trial)


def create_trial(plugin: Plugin, case: Case | None = None, root: Path | None = None) -> Trial:
    """Create a trial in this process: `create_trial(MyEval(), Case(rows=…)).run()` returns its output as JSON values.

    The files of the case are written to `root`, by default a new temporary folder.
    """
    case = case or Case()
    folder = root or Path(tempfile.mkdtemp(prefix="factory-trial-"))
    write_files(case, folder)
    package = type(plugin).__module__.partition(".")[0]
    return Trial(plugin, case, folder, load_world_registry(), ColumnAccess(package), check_role)
