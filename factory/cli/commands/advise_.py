"""`factory advise`: whether to fine-tune at all, before anybody waits for it."""

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
    "FINE_TUNE": "Fine-tuning is worth its time.",
    "PROMPT": "Do not fine-tune: what exists answers well enough.",
    "RETRIEVE": "Do not fine-tune the facts in: look them up.",
    "GET_MORE_DATA": "Do not fine-tune yet: the rows do not suffice.",
}


@click.command()
@spec_args.spec_argument
@spec_args.profile_option
@spec_args.set_option
@spec_args.plugins_option
@click.option("--rows", default=60, show_default=True, metavar="N", help="Validation rows to try what exists on.")
@click.option("--plain", is_flag=True, help="Plain lines, even on a terminal.")
@output.json_option
def command(
    spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path], rows: int, plain: bool, as_json: bool
) -> None:
    """Say whether to fine-tune at all, from the rows and a quick ladder of what exists.

    The spec's contenders that need no training, and its teacher where that is an endpoint, answer a few validation
    rows; test rows stay unseen. What was tried once is not tried again.
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
    make_until_stage(plan, "survey", resolved, load_installed_registry(tuple(folders)), plain=plain)
    found = Survey.from_json(read_json(Store(find_home()).locate_output("survey", plan["survey"].key).output / "survey.json"))
    advice, costs = advise(found), _collect_advice_costs(found, resolved, plan)
    if as_json:
        output.print_json({"name": plan.name, "task": plan.task, **asdict(advice), "survey": found.to_json(), "costs": costs})
        return
    for line in _format_advice(plan.name, found, advice, costs):
        output.print_line(line)


def _collect_advice_costs(survey: Survey, resolved: ResolvedSpec, plan: Plan) -> dict[str, Any]:
    """What each way would cost: a build in time, prompting in tokens and seconds a question, the teacher in calls."""
    return {
        "build": _estimate_remaining_build(resolved),
        "prompting": {leg.name: _measure_prompting_cost(leg, plan) for leg in survey.rank_contenders("prompted", "baseline")},
        "teacher": next((dict(leg.facts) for leg in survey.rank_contenders("teacher")), {}),
    }


def _estimate_remaining_build(resolved: ResolvedSpec) -> dict[str, Any]:
    """Time and memory of what a build would still run, from earlier runs here or as a guess."""
    from factory.plan.compiler import compile_plan
    from factory.plan.estimate import estimate_stage, sum_estimates
    from factory.runs.run_view import iterate_newest_runs
    from factory.store.paths import find_home

    plan, earlier = compile_plan(resolved), list(iterate_newest_runs(find_home(), brief=True))
    todo = [reason.stage for reason in spec_args.collect_stage_reasons(plan) if reason.state != "cached"]
    return asdict(sum_estimates(estimate_stage(stage, plan.name, resolved.profile, earlier) for stage in todo))


def _measure_prompting_cost(leg: ContenderEstimate, plan: Plan) -> dict[str, Any]:
    """What one question takes, as it was seen: seconds include loading the model once."""
    from factory.store.outputs import Store
    from factory.store.paths import find_home

    meta = Store(find_home()).locate_output(f"trial[{leg.name}]", plan[f"trial[{leg.name}]"].key).read_meta()
    return {"seconds_a_question": round(meta["seconds"] / leg.n, 4),
            **({"tokens_a_question": leg.facts["prompt_tokens"]} if "prompt_tokens" in leg.facts else {})}


def _format_advice(name: str, survey: Survey, advice: Advice, costs: dict[str, Any]) -> Iterator[str]:
    """The advice for a person: the verdict, why, what was tried, what it would cost."""
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
    """What was tried on validation rows, best first, drawn on one scale."""
    from factory.cli.verdict_panel import format_interval_bar
    from factory.views.formatting import clean_line, compute_scale, format_number

    ranked = survey.rank_contenders("baseline", "prompted", "teacher")
    spans = compute_scale([(leg.low, leg.high) for leg in ranked]) if ranked else (0.0, 1.0)
    rows = [
        [clean_line(leg.name), leg.sort, format_number(leg.mean), f"{format_number(leg.low)} to {format_number(leg.high)}",
         format_interval_bar({"low": leg.low, "mean": leg.mean, "high": leg.high}, spans), str(leg.n)]
        for leg in ranked
    ]
    rows += [[clean_line(leg.name), leg.sort, "–", clean_line(leg.why, 60), "", "0"] for leg in survey.legs if not leg.n]
    return output.format_table(["tried", "", survey.metric, "95 % interval", "", "rows"], rows, right=(2, 5))


def _format_cost_lines(survey: Survey, advice: Advice, costs: dict[str, Any]) -> Iterator[str]:
    from factory.views.formatting import format_bytes, format_seconds

    build, teacher = costs["build"], costs["teacher"]
    guessed = "" if build["runs"] else ", a wide guess: nothing like it ran here"
    span = f"{format_seconds(build['least'])} to {format_seconds(build['most'])}"
    if not build["most"]:
        yield "a build has run already: `factory build` shows its verdict"
    else:
        yield f"a build would take about {format_seconds(build['seconds'])} ({span}), {format_bytes(build['mib'] * 2**20)}{guessed}"
    for leg in survey.rank_contenders("prompted"):
        cost = costs["prompting"][leg.name]
        tokens = f", {cost['tokens_a_question']:g} tokens of prompt" if "tokens_a_question" in cost else ""
        yield f"{leg.name} takes about {format_seconds(cost['seconds_a_question'])} a question here{tokens}"
    if teacher:
        yield (f"the teacher was asked {teacher['calls']} times: {teacher['tokens_in']:,} tokens in, "
               f"{teacher['tokens_out']:,} out, cost {teacher['cost']:g}")
    if advice.verdict == "GET_MORE_DATA" and teacher.get("calls"):
        missing = max(0, 500 - survey.rows)
        yield f"a teacher's answer to {missing} more questions would cost about {missing * _compute_cost_per_call(teacher):.2g}"


def _compute_cost_per_call(teacher: dict[str, Any]) -> float:
    return float(teacher["cost"]) / int(teacher["calls"])
