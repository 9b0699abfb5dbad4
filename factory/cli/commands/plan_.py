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
    resolved = load.load_resolved_spec(spec, profile, overrides, folders)
    if values:
        _print_resolved_values(resolved, as_json)
        return
    from factory.estimate import estimate_stage
    from factory.home import find_home
    from factory.plan import compile_plan
    from factory.runs import iterate_newest_runs

    plan = compile_plan(resolved)
    reasons = load.collect_stage_reasons(plan, force)
    earlier = list(iterate_newest_runs(find_home(), brief=True))
    costs = [estimate_stage(stage.name, plan.name, profile, earlier) for stage in plan.stages]
    if as_json:
        stages = zip(plan.stages, reasons, costs, strict=True)
        rows = [{**s.to_json(), "state": r.state, "detail": r.detail, "estimate": asdict(e)} for s, r, e in stages]
        out.print_json({"name": plan.name, "task": plan.task, "profile": profile, "stages": rows})
    else:
        _print_plan_table(reasons, costs)


def _print_plan_table(reasons: Sequence[StageReason], costs: Sequence[ResourceEstimate]) -> None:
    from factory.estimate import sum_estimates

    rows = [_build_plan_cells(reason, cost) for reason, cost in zip(reasons, costs, strict=True)]
    out.print_line(out.format_table(["stage", "state", "time", "bounds", "memory", "why"], rows, right=(2, 4)))
    todo = [cost for reason, cost in zip(reasons, costs, strict=True) if reason.state != "cached"]
    if not todo:
        out.print_line("\nall cached: a build would run no stage")
        return
    whole = sum_estimates(todo)
    guessed = sum(cost.runs == 0 for cost in todo)
    time, memory = _format_estimated_time(whole).removeprefix("? "), _format_estimated_memory(whole).removeprefix("? ")
    out.print_line(f"\n{len(todo)} of {len(costs)} stages would run: about {time} ({_format_time_bounds(whole)}), {memory}")
    if guessed:
        out.print_line(out.style_dim(f"{guessed} of them never ran here: their numbers are wide guesses"))


def _build_plan_cells(reason: StageReason, cost: ResourceEstimate) -> list[str]:
    from factory.report.words import clean_line

    if reason.state == "cached":
        return [reason.stage, out.style_dim("cached"), "", "", "", ""]
    return [reason.stage, reason.state, _format_estimated_time(cost), _format_time_bounds(cost), _format_estimated_memory(cost), clean_line(reason.detail, 90)]


def _format_estimated_time(cost: ResourceEstimate) -> str:
    from factory.report.words import format_seconds

    return f"{'' if cost.runs else '? '}{format_seconds(cost.seconds)}"


def _format_time_bounds(cost: ResourceEstimate) -> str:
    from factory.report.words import format_seconds

    return f"{format_seconds(cost.least)} to {format_seconds(cost.most)}"


def _format_estimated_memory(cost: ResourceEstimate) -> str:
    from factory.report.words import format_bytes

    return f"{'' if cost.runs else '? '}{format_bytes(cost.mib * 2**20)}"


def _print_resolved_values(resolved: ResolvedSpec, as_json: bool) -> None:
    import json

    if as_json:
        out.print_json([{"path": v.path, "value": v.value, "origin": v.origin, "line": v.line} for v in resolved.values])
        return
    rows = [[v.path, json.dumps(v.value, ensure_ascii=False), _format_value_origin(v.origin, v.line)] for v in resolved.values]
    out.print_line(out.format_table(["field", "value", "from"], rows))


def _format_value_origin(origin: str, line: int | None) -> str:
    return f"{origin}, line {line}" if line else origin
