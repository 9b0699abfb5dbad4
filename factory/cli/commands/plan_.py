"""`factory plan`: the stages of a spec before anything runs, or every resolved value and its origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from factory.cli import output, spec_args
from factory.runs.estimate import ResourceEstimate, estimate_stage
from factory.runs.run_view import iterate_newest_runs
from factory.store.paths import find_home
from factory.views.elements import Cell, Text
from factory.views.formatting import format_bytes, format_count, format_seconds

if TYPE_CHECKING:
    from factory.plan.builder import Plan
    from factory.plan.explain import StageReason
    from factory.spec.layers import ResolvedSpec


@click.command()
@spec_args.spec_arguments
@spec_args.force_option
@click.option("--resolved", "values", is_flag=True, help="Show every field of the spec with its value and origin.")
@output.json_option
def command(arguments: spec_args.SpecArguments, force: Sequence[str], values: bool, as_json: bool) -> None:
    """Show the stages of a spec: what is cached, what would run, and the estimated time."""
    resolved = arguments.resolve()
    if values:
        _print_resolved_values(resolved, as_json)
        return
    from factory.engine.consent import find_reach
    from factory.engine.memory_plan import describe_training_memory, require_training_memory
    from factory.plan.compiler import compile_plan

    plan, profile = compile_plan(resolved), arguments.profile
    require_training_memory(plan, resolved, find_home())
    reach = find_reach(plan, resolved, find_home())
    reasons = spec_args.collect_stage_reasons(plan, force)
    earlier = list(iterate_newest_runs(find_home(), brief=True))
    costs = [estimate_stage(stage.name, plan.name, profile, earlier) for stage in plan.stages]
    if as_json:
        stages = zip(plan.stages, reasons, costs, strict=True)
        rows = [{**s.to_json(), "state": r.state, "detail": r.detail, "estimate": asdict(e)} for s, r, e in stages]
        head = {"name": plan.name, "task": plan.task, "profile": profile, "notes": plan.notes}
        output.print_json({**head, "stages": rows, **reach.to_json()})
    else:
        _print_plan_table(reasons, costs)
        _print_plan_total(resolved, plan, reasons, costs)
        for note in [*plan.notes, *describe_training_memory(plan, resolved, find_home()), *reach.list_lines()]:
            output.print_line(output.fill_line(note))


def _print_plan_table(reasons: Sequence[StageReason], costs: Sequence[ResourceEstimate]) -> None:
    rows = [_build_plan_cells(reason, cost) for reason, cost in zip(reasons, costs, strict=True)]
    output.print_line(output.format_rows(["stage", "state", "time", "range", "memory", "why"], rows, right=(2, 4)))


def _print_plan_total(
    resolved: ResolvedSpec, plan: Plan, reasons: Sequence[StageReason], costs: Sequence[ResourceEstimate]
) -> None:
    from factory.engine.parallelism import choose_parallel, estimate_build

    pending = {reason.stage: cost for reason, cost in zip(reasons, costs, strict=True) if reason.state != "cached"}
    if not pending:
        output.print_line("\nevery stage is cached: a build would run none")
        return
    parallel = choose_parallel(resolved.spec.budget, pending, plan.name, resolved.profile, find_home())
    total, guessed = estimate_build(plan, pending, parallel), sum(cost.runs == 0 for cost in pending.values())
    # The total is marked as a guess if any stage is; the last line reports guesses instead.
    time, memory = _format_estimated_time(total).removeprefix("? "), _format_estimated_memory(total).removeprefix("? ")
    estimate = f"about {time} ({_format_time_bounds(total)}), {memory} of memory"
    at_once = f", up to {parallel} side by side" if parallel > 1 else ""
    output.print_line(f"\n{len(pending)} of {format_count(len(costs), 'stage')} would run{at_once}: {estimate}")
    if guessed:
        note = f"? marks a rough guess, without an earlier run on this machine ({format_count(guessed, 'stage')})"
        output.print_line(output.style_dim(note))


def _build_plan_cells(reason: StageReason, cost: ResourceEstimate) -> list[Cell]:
    if reason.state == "cached":
        return [reason.stage, Text("cached", "dim"), "", "", "", ""]
    estimates = [_format_estimated_time(cost), _format_time_bounds(cost), _format_estimated_memory(cost)]
    return [reason.stage, reason.state, *estimates, reason.detail]


def _format_estimated_time(cost: ResourceEstimate) -> str:
    return f"{'' if cost.runs else '? '}{format_seconds(cost.seconds)}"


def _format_time_bounds(cost: ResourceEstimate) -> str:
    return f"{format_seconds(cost.least)} to {format_seconds(cost.most)}"


def _format_estimated_memory(cost: ResourceEstimate) -> str:
    return f"{'' if cost.runs else '? '}{format_bytes(cost.mib * 2**20)}"


def _print_resolved_values(resolved: ResolvedSpec, as_json: bool) -> None:
    import json

    from factory.engine.chosen_settings import find_chosen_settings

    chosen = find_chosen_settings(resolved, find_home())
    if as_json:
        output.print_json([
            {"path": v.path, "value": v.value, "origin": v.origin, "line": v.line, **chosen.get(v.path, {})}
            for v in resolved.values
        ])
        return
    rows = []
    for v in resolved.values:
        value, origin = json.dumps(v.value, ensure_ascii=False), f"{v.origin}, line {v.line}" if v.line else v.origin
        if found := chosen.get(v.path):
            value = f"{value} → {json.dumps(found['chosen'])}" if found["chosen"] is not None else value
            origin = f"{origin}: {found['reason']}"
        rows.append([v.path, value, origin])
    paths = {v.path for v in resolved.values}
    rows += [  # what each step of a training course chose for a field of the spec
        [name, f'"auto" → {json.dumps(found["chosen"])}', found["reason"]]
        for name, found in chosen.items() if name not in paths
    ]
    output.print_line(output.format_rows(["field", "value", "from"], rows))
