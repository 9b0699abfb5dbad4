"""Compare the tuned model with every baseline on the same rows, and decide the verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from factory.api import TEST, Metric
from factory.data.leakage import count_remaining_leaks
from factory.data.rows import read_json, read_jsonl, write_json
from factory.evaluation.gate import GateEvidence, decide_verdict
from factory.evaluation.incumbent_facts import IncumbentFacts
from factory.evaluation.look_confidence import compute_look_confidence, describe_looks
from factory.evaluation.match import AnswerExpense
from factory.evaluation.score_table import ScoreTable
from factory.evaluation.seed_findings import summarise_seeds
from factory.evaluation.step_worth import measure_steps
from factory.evaluation.totals import TotalScores
from factory.plan.seed_names import name_seed
from factory.review import find_review_refusals
from factory.spec.fields import Gate
from factory.stages.incumbent import INCUMBENT_FILE
from factory.stages.job import StageJob, guard_plugin_call
from factory.stages.seed_answers import read_seed_choice
from factory.stages.step_rows import read_leakage_proofs


def run(job: StageJob) -> None:
    """Write `gate.json`: the verdict, its comparisons and its reasons."""
    stated, look = Gate(**job.config["gate"]), read_json(job.inputs["look"] / "look.json")["number"]
    gate = stated.model_copy(update={"confidence": compute_look_confidence(stated.confidence, look)})
    scored = read_json(job.inputs["score"] / "score.json")
    probes = [
        read_json(folder / "forgetting.json") for role, folder in job.inputs.items() if role.startswith("forgetting[")
    ]
    leaks = sum(count_remaining_leaks(proof) for proof in read_leakage_proofs(job.inputs).values())
    refused: list[str] = []
    if required := job.config.get("review"):
        review = read_json(job.inputs["curate"] / "review.json")
        refused = find_review_refusals(review, required["share"], required["acceptance"])
    steps = job.config.get("steps", [])
    wanted = [*(guard.against for guard in gate.guards), *([gate.match.contender] if gate.match else [])]
    wanted += [step["contender"] for step in steps]
    table, expenses = _read_score_table(job, scored, wanted), _read_expenses(job, gate)
    answered = job.config.get("incumbents", {})
    incumbents = [
        IncumbentFacts.from_json(kind, read_json(job.inputs[f"answer[{kind}]"] / INCUMBENT_FILE), table)
        for kind, has_answered in answered.items() if has_answered
    ]
    absent = [kind for kind, has_answered in answered.items() if not has_answered]
    evidence = GateEvidence(
        job.config["prompted"], leaks, probes, refused, job.config["shown"], expenses, incumbents, absent
    )
    metric = table.metrics[gate.metric or scored["primary"]]
    looks = {"number": look, "confidence": stated.confidence, "finding": describe_looks(stated.confidence, look)}
    decided = {**decide_verdict(table, metric, gate, evidence), "looks": looks}
    if table.seeds:
        decided["seeds"] = summarise_seeds(table, metric, read_seed_choice(job), stated.confidence)
    if steps:
        decided["steps"] = measure_steps(table, metric, gate, steps)
    write_json(job.out / "gate.json", decided)


def _read_expenses(job: StageJob, gate: Gate) -> dict[str, AnswerExpense]:
    """Read what the answers of tuned and of the contender to match cost and took, if the spec limits that."""
    answers = {
        role.removeprefix("answer[").removesuffix("]"): read_json(folder / "answer.json")
        for role, folder in job.inputs.items() if role.startswith("answer[")
    }
    hourly = gate.match.hourly if gate.match else 0.0
    return {name: AnswerExpense.from_answers(found, hourly) for name, found in answers.items()}


def _read_score_table(job: StageJob, scored: Mapping[str, Any], wanted: Collection[str]) -> ScoreTable:
    """Read the scores of the compared contenders, and of those wanted beside them."""
    metrics = {metric["name"]: Metric(**metric) for metric in scored["metrics"]}
    names = [name for name in scored["contenders"] if name not in job.config["shown"] or name in wanted]
    rows = {name: list(read_jsonl(job.inputs["score"] / f"{name}.jsonl")) for name in names}
    slices: dict[str, Mapping[str, str]] = {}
    if "task" in job.config:  # only if a guard has a slice
        frozen, task = job.open_input_rows("freeze", f"{TEST}.jsonl"), job.load_task()
        with guard_plugin_call(task, frozen):
            slices = {row.id: dict(task.get_row_slices(row)) for row in frozen}
    total, seeds = scored.get("total", ""), dict[str, ScoreTable]()
    for name, by_seed in scored.get("seeds", {}).items():
        files = {seed: name_seed(name, int(seed)) for seed in sorted(by_seed, key=int)}
        lines = {seed: list(read_jsonl(job.inputs["score"] / f"{file}.jsonl")) for seed, file in files.items()}
        seeds[name] = ScoreTable(lines, total=total, totals=_read_totals(job, files) if total else {})
    totals = _read_totals(job, {name: name for name in names}) if total else {}
    return ScoreTable(rows, slices, metrics, total, totals, seeds)


def _read_totals(job: StageJob, files: Mapping[str, str]) -> dict[str, TotalScores]:
    """Read the total that decides, by name, from the score stage's files."""
    return {
        name: TotalScores(**read_json(job.inputs["score"] / f"{file}.total.json")) for name, file in files.items()
    }
