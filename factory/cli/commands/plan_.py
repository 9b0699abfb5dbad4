"""`factory plan`: the stages of a spec before anything runs; with `--resolved`, every value and where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from factory.cli import load, out

if TYPE_CHECKING:
    from factory.estimate import ResourceEstimate
    from factory.explain import StageReason
    from factory.resolve import ResolvedSpec


@click.command()
@load.spec_argument
@load.profile_option
@load.set_option
@load.force_option
@load.plugins_option
@click.option("--resolved", "values", is_flag=True, help="Show every value of the spec and where it came from.")
@out.json_option
def command(
    spec: Path, profile: str, overrides: Sequence[str], force: Sequence[str], folders: Sequence[Path], values: bool,
    as_json: bool,
) -> None:
    """Show the stages of a spec: what is cached, what would run, how long it may take."""
    resolved = load.resolved(spec, profile, overrides, folders)
    if values:
        _values(resolved, as_json)
        return
    from factory.estimate import estimate_stage
    from factory.home import find_home
    from factory.plan import compile_plan
    from factory.runs import iterate_newest_runs

    plan = compile_plan(resolved)
    reasons = load.reasons(plan, force)
    earlier = list(iterate_newest_runs(find_home(), brief=True))
    costs = [estimate_stage(stage.name, plan.name, profile, earlier) for stage in plan.stages]
    if as_json:
        stages = zip(plan.stages, reasons, costs, strict=True)
        rows = [{**s.to_json(), "state": r.state, "detail": r.detail, "estimate": asdict(e)} for s, r, e in stages]
        out.emit({"name": plan.name, "task": plan.task, "profile": profile, "stages": rows})
    else:
        _show(reasons, costs)


def _show(reasons: Sequence[StageReason], costs: Sequence[ResourceEstimate]) -> None:
    from factory.estimate import sum_estimates

    rows = [_row(reason, cost) for reason, cost in zip(reasons, costs, strict=True)]
    out.say(out.table(["stage", "state", "time", "bounds", "memory", "why"], rows, right=(2, 4)))
    todo = [cost for reason, cost in zip(reasons, costs, strict=True) if reason.state != "cached"]
    if not todo:
        out.say("\nall cached: a build would run no stage")
        return
    whole = sum_estimates(todo)
    guessed = sum(cost.runs == 0 for cost in todo)
    time, memory = _time(whole).removeprefix("? "), _memory(whole).removeprefix("? ")
    out.say(f"\n{len(todo)} of {len(costs)} stages would run: about {time} ({_bounds(whole)}), {memory}")
    if guessed:
        out.say(out.dim(f"{guessed} of them never ran here: their numbers are wide guesses"))


def _row(reason: StageReason, cost: ResourceEstimate) -> list[str]:
    from factory.report.words import clean

    if reason.state == "cached":
        return [reason.stage, out.dim("cached"), "", "", "", ""]
    return [reason.stage, reason.state, _time(cost), _bounds(cost), _memory(cost), clean(reason.detail, 90)]


def _time(cost: ResourceEstimate) -> str:
    from factory.report.words import seconds

    return f"{'' if cost.runs else '? '}{seconds(cost.seconds)}"


def _bounds(cost: ResourceEstimate) -> str:
    from factory.report.words import seconds

    return f"{seconds(cost.least)} to {seconds(cost.most)}"


def _memory(cost: ResourceEstimate) -> str:
    from factory.report.words import size

    return f"{'' if cost.runs else '? '}{size(cost.mib * 2**20)}"


def _values(resolved: ResolvedSpec, as_json: bool) -> None:
    import json

    if as_json:
        out.emit([{"path": v.path, "value": v.value, "origin": v.origin, "line": v.line} for v in resolved.values])
        return
    rows = [[v.path, json.dumps(v.value, ensure_ascii=False), _origin(v.origin, v.line)] for v in resolved.values]
    out.say(out.table(["field", "value", "from"], rows))


def _origin(origin: str, line: int | None) -> str:
    return f"{origin}, line {line}" if line else origin
