"""`factory advise`: whether fine-tuning is worthwhile, before a build is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import output, spec_args

if TYPE_CHECKING:
    from factory.advise import Advice, ContenderEstimate, Survey
    from factory.plan.builder import Plan
    from factory.spec.layers import ResolvedSpec

COLOURS = {"FINE_TUNE": "green", "PROMPT": "yellow", "RETRIEVE": "yellow", "GET_MORE_DATA": "red"}
ADVICE_MEANINGS = {
    "FINE_TUNE": "Fine-tuning is worthwhile.",
    "PROMPT": "Do not fine-tune: an existing contender (baseline or candidate) is good enough.",
    "RETRIEVE": "Do not fine-tune on facts that change: retrieve them at query time.",
    "GET_MORE_DATA": "Do not fine-tune yet: there is too little training data.",
}


@click.command()
@spec_args.spec_argument
@spec_args.profile_option
@spec_args.set_option
@spec_args.plugins_option
@click.option("--rows", default=60, show_default=True, metavar="N", help="Validation rows that each contender answers.")
@click.option("--plain", is_flag=True, help="Print plain progress lines, even on a terminal.")
@output.json_option
def command(
    spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path], rows: int, plain: bool, as_json: bool
) -> None:
    """Advise whether fine-tuning is worthwhile, by trying contenders that need no training.

    These contenders of the spec, and its teacher if that is an endpoint, answer a few validation rows; the test rows
    are never read. Results are cached.
    """
    from factory.errors import InputError

    if rows < 1:
        raise InputError("--rows must be 1 or more")
    resolved = spec_args.load_resolved_spec(spec, profile, overrides, folders)
    from factory.advise import Survey, advise
    from factory.cli.run_until import make_until_stage
    from factory.data.rows import read_json
    from factory.plan.compiler import compile_advice_plan
    from factory.registry.registry import load_installed_registry
    from factory.store.outputs import Store
    from factory.store.paths import find_home

    plan = compile_advice_plan(resolved, rows)
    make_until_stage(plan, "advice", resolved, load_installed_registry(tuple(folders)), plain=plain)
    folder = Store(find_home()).locate_output("advice", plan["advice"].key).output
    survey = Survey.from_json(read_json(folder / "advice.json"))
    advice, costs = advise(survey), _collect_advice_costs(survey, resolved, plan)
    if as_json:
        head = {"name": plan.name, "task": plan.task}
        output.print_json({**head, **asdict(advice), "survey": survey.to_json(), "costs": costs})
        return
    for line in _format_advice(plan.name, survey, advice, costs):
        output.print_line(line)


def _collect_advice_costs(survey: Survey, resolved: ResolvedSpec, plan: Plan) -> dict[str, Any]:
    """Return the cost of each option: build time, prompting time and tokens per question, and teacher calls."""
    trials = survey.rank_contenders("prompted", "baseline")
    return {
        "build": _estimate_remaining_build(resolved),
        "prompting": {trial.name: _measure_prompting_cost(trial, plan) for trial in trials},
        "teacher": next((dict(trial.facts) for trial in survey.rank_contenders("teacher")), {}),
    }


def _estimate_remaining_build(resolved: ResolvedSpec) -> dict[str, Any]:
    """Estimate time and memory of the stages that a build would still run, from earlier runs or as a guess."""
    from factory.plan.compiler import compile_plan
    from factory.plan.estimate import estimate_stage, sum_estimates
    from factory.runs.run_view import iterate_newest_runs
    from factory.store.paths import find_home

    plan, earlier = compile_plan(resolved), list(iterate_newest_runs(find_home(), brief=True))
    todo = [reason.stage for reason in spec_args.collect_stage_reasons(plan) if reason.state != "cached"]
    return asdict(sum_estimates(estimate_stage(stage, plan.name, resolved.profile, earlier) for stage in todo))


def _measure_prompting_cost(trial: ContenderEstimate, plan: Plan) -> dict[str, Any]:
    """Return the measured seconds (model loading included) and prompt tokens per question."""
    from factory.store.outputs import Store
    from factory.store.paths import find_home

    stage = f"baseline_trial[{trial.name}]"
    meta = Store(find_home()).locate_output(stage, plan[stage].key).read_meta()
    return {"seconds_a_question": round(meta["seconds"] / trial.n, 4),
            **({"tokens_a_question": trial.facts["prompt_tokens"]} if "prompt_tokens" in trial.facts else {})}


def _format_advice(name: str, survey: Survey, advice: Advice, costs: dict[str, Any]) -> Iterator[str]:
    """Yield the advice as text: verdict, reasons, trial results, costs and cautions."""
    from factory.cli.data_view import wrap_paragraph

    yield f"{output.format_badge(f' {advice.verdict} ', COLOURS[advice.verdict])} {output.style_bold(name)}"
    yield from wrap_paragraph(ADVICE_MEANINGS[advice.verdict], "")
    yield ""
    for reason in advice.reasons:
        yield from _format_bullet(reason)
    if survey.legs:
        yield f"\n{_format_trials_table(survey)}"
    yield ""
    yield from _format_cost_lines(survey, advice, costs)
    for caution in advice.cautions:
        yield from _format_bullet(caution)


def _format_bullet(text: str) -> Iterator[str]:
    from factory.cli.data_view import wrap_paragraph

    first, *rest = wrap_paragraph(text, "  ")
    yield f"- {first.removeprefix('  ')}"
    yield from rest


def _format_trials_table(survey: Survey) -> str:
    """Return a table of the trials on validation rows, best first, on one scale."""
    from factory.cli.verdict_panel import format_interval_bar
    from factory.views.formatting import clean_line, compute_scale, format_number

    ranked = survey.rank_contenders("baseline", "prompted", "teacher")
    scale = compute_scale([(trial.low, trial.high) for trial in ranked]) if ranked else (0.0, 1.0)
    rows = [
        [clean_line(trial.name), trial.sort, format_number(trial.mean),
         f"{format_number(trial.low)} to {format_number(trial.high)}",
         format_interval_bar({"low": trial.low, "mean": trial.mean, "high": trial.high}, scale), str(trial.n)]
        for trial in ranked
    ]
    rows += [
        [clean_line(trial.name), trial.sort, "–", clean_line(trial.why, 60), "", "0"]
        for trial in survey.legs if not trial.n
    ]
    return output.format_table(["contender", "type", survey.metric, "95 % interval", "", "rows"], rows, right=(2, 5))


def _format_cost_lines(survey: Survey, advice: Advice, costs: dict[str, Any]) -> Iterator[str]:
    from factory.advise.rules import ENOUGH_TRAINING_ROWS
    from factory.views.formatting import format_bytes, format_seconds

    build, teacher = costs["build"], costs["teacher"]
    guessed = "" if build["runs"] else " (rough guess: no earlier run on this machine)"
    span = f"{format_seconds(build['least'])} to {format_seconds(build['most'])}"
    if not build["most"]:
        yield "every stage of the build is cached: `factory build` prints its verdict"
    else:
        seconds, memory = format_seconds(build["seconds"]), format_bytes(build["mib"] * 2**20)
        yield f"a build would take about {seconds} ({span}), {memory}{guessed}"
    for trial in survey.rank_contenders("prompted"):
        cost = costs["prompting"][trial.name]
        tokens = f", {cost['tokens_a_question']:g} prompt tokens" if "tokens_a_question" in cost else ""
        seconds = format_seconds(cost["seconds_a_question"])
        yield f"{trial.name} takes about {seconds} per question on this machine{tokens}"
    if teacher:
        yield (f"teacher: {teacher['calls']} calls, {teacher['tokens_in']:,} input tokens, "
               f"{teacher['tokens_out']:,} output tokens, cost {teacher['cost']:g}")
    if advice.verdict == "GET_MORE_DATA" and teacher.get("calls"):
        missing, cost_per_call = max(
            0, ENOUGH_TRAINING_ROWS - survey.rows
        ), float(teacher["cost"]) / int(teacher["calls"])
        yield f"labelling {missing} more rows with the teacher would cost about {missing * cost_per_call:.2g}"
