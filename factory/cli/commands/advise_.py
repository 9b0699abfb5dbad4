"""`factory advise`: whether to fine-tune at all, before anybody waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import load, out

if TYPE_CHECKING:
    from factory.advise import Advice, ContenderEstimate, Survey
    from factory.graph import Plan
    from factory.resolve import ResolvedSpec

COLOURS = {"FINE_TUNE": "green", "PROMPT": "yellow", "RETRIEVE": "yellow", "GET_MORE_DATA": "red"}
MEANING = {
    "FINE_TUNE": "Fine-tuning is worth its time.",
    "PROMPT": "Do not fine-tune: what exists answers well enough.",
    "RETRIEVE": "Do not fine-tune the facts in: look them up.",
    "GET_MORE_DATA": "Do not fine-tune yet: the rows do not suffice.",
}


@click.command()
@load.spec_argument
@load.profile_option
@load.set_option
@load.plugins_option
@click.option("--rows", default=60, show_default=True, metavar="N", help="Validation rows to try what exists on.")
@click.option("--plain", is_flag=True, help="Plain lines, even on a terminal.")
@out.json_option
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
    resolved = load.resolved(spec, profile, overrides, folders)
    from factory.advise import Survey, advise
    from factory.cli.making import made
    from factory.data.rows import read_json
    from factory.home import find_home
    from factory.plan import compile_advice_plan
    from factory.plugins import load_installed_registry
    from factory.store import Store

    plan = compile_advice_plan(resolved, rows)
    made(plan, "survey", resolved, load_installed_registry(tuple(folders)), plain=plain)
    found = Survey.from_json(read_json(Store(find_home()).locate_output("survey", plan["survey"].key).output / "survey.json"))
    advice, costs = advise(found), _costs(found, resolved, plan)
    if as_json:
        out.emit({"name": plan.name, "task": plan.task, **asdict(advice), "survey": found.to_json(), "costs": costs})
        return
    for line in _shown(plan.name, found, advice, costs):
        out.say(line)


def _costs(survey: Survey, resolved: ResolvedSpec, plan: Plan) -> dict[str, Any]:
    """What each way would cost: a build in time, prompting in tokens and seconds a question, the teacher in calls."""
    return {
        "build": _build(resolved),
        "prompting": {leg.name: _prompting(leg, plan) for leg in survey.rank_contenders("prompted", "baseline")},
        "teacher": next((dict(leg.facts) for leg in survey.rank_contenders("teacher")), {}),
    }


def _build(resolved: ResolvedSpec) -> dict[str, Any]:
    """Time and memory of what a build would still run, from earlier runs here or as a guess."""
    from factory.estimate import estimate_stage, sum_estimates
    from factory.home import find_home
    from factory.plan import compile_plan
    from factory.runs import iterate_newest_runs

    plan, earlier = compile_plan(resolved), list(iterate_newest_runs(find_home(), brief=True))
    todo = [reason.stage for reason in load.reasons(plan) if reason.state != "cached"]
    return asdict(sum_estimates(estimate_stage(stage, plan.name, resolved.profile, earlier) for stage in todo))


def _prompting(leg: ContenderEstimate, plan: Plan) -> dict[str, Any]:
    """What one question takes, as it was seen: seconds include loading the model once."""
    from factory.home import find_home
    from factory.store import Store

    meta = Store(find_home()).locate_output(f"trial[{leg.name}]", plan[f"trial[{leg.name}]"].key).read_meta()
    return {"seconds_a_question": round(meta["seconds"] / leg.n, 4),
            **({"tokens_a_question": leg.facts["prompt_tokens"]} if "prompt_tokens" in leg.facts else {})}


def _shown(name: str, survey: Survey, advice: Advice, costs: dict[str, Any]) -> Iterator[str]:
    """The advice for a person: the verdict, why, what was tried, what it would cost."""
    from factory.cli.drawn import paragraph

    yield f"{out.badge(f' {advice.verdict} ', COLOURS[advice.verdict])} {out.strong(name)}"
    yield from paragraph(MEANING[advice.verdict], "")
    yield ""
    for reason in advice.reasons:
        yield from _point(reason)
    if survey.legs:
        yield f"\n{_legs(survey)}"
    yield ""
    yield from _cost_lines(survey, advice, costs)
    for caution in advice.cautions:
        yield from _point(caution)


def _point(text: str) -> Iterator[str]:
    from factory.cli.drawn import paragraph

    first, *rest = paragraph(text, "  ")
    yield f"- {first.removeprefix('  ')}"
    yield from rest


def _legs(survey: Survey) -> str:
    """What was tried on validation rows, best first, drawn on one scale."""
    from factory.cli.verdict import bar
    from factory.report.words import clean, number, scale

    ranked = survey.rank_contenders("baseline", "prompted", "teacher")
    spans = scale([(leg.low, leg.high) for leg in ranked]) if ranked else (0.0, 1.0)
    rows = [
        [clean(leg.name), leg.sort, number(leg.mean), f"{number(leg.low)} to {number(leg.high)}",
         bar({"low": leg.low, "mean": leg.mean, "high": leg.high}, spans), str(leg.n)]
        for leg in ranked
    ]
    rows += [[clean(leg.name), leg.sort, "–", clean(leg.why, 60), "", "0"] for leg in survey.legs if not leg.n]
    return out.table(["tried", "", survey.metric, "95 % interval", "", "rows"], rows, right=(2, 5))


def _cost_lines(survey: Survey, advice: Advice, costs: dict[str, Any]) -> Iterator[str]:
    from factory.report.words import seconds, size

    build, teacher = costs["build"], costs["teacher"]
    guessed = "" if build["runs"] else ", a wide guess: nothing like it ran here"
    span = f"{seconds(build['least'])} to {seconds(build['most'])}"
    if not build["most"]:
        yield "a build has run already: `factory build` shows its verdict"
    else:
        yield f"a build would take about {seconds(build['seconds'])} ({span}), {size(build['mib'] * 2**20)}{guessed}"
    for leg in survey.rank_contenders("prompted"):
        cost = costs["prompting"][leg.name]
        tokens = f", {cost['tokens_a_question']:g} tokens of prompt" if "tokens_a_question" in cost else ""
        yield f"{leg.name} takes about {seconds(cost['seconds_a_question'])} a question here{tokens}"
    if teacher:
        yield (f"the teacher was asked {teacher['calls']} times: {teacher['tokens_in']:,} tokens in, "
               f"{teacher['tokens_out']:,} out, cost {teacher['cost']:g}")
    if advice.verdict == "GET_MORE_DATA" and teacher.get("calls"):
        missing = max(0, 500 - survey.rows)
        yield f"a teacher's answer to {missing} more questions would cost about {missing * _each(teacher):.2g}"


def _each(teacher: dict[str, Any]) -> float:
    return float(teacher["cost"]) / int(teacher["calls"])
