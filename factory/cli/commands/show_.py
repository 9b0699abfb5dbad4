"""`factory show`: the stages, training curve and verdict of one run, live or finished."""

from __future__ import annotations

import time
from typing import Any

import click

from factory.cli import output
from factory.cli.braille_plot import plot_braille
from factory.cli.verdict_panel import format_verdict_panel
from factory.runs.run_outputs import RunOutputs
from factory.runs.specialists import find_run_outputs
from factory.store.paths import find_home
from factory.views.cost import build_requests_table, describe_build_cost, measure_build_cost
from factory.views.curves import build_training_curves
from factory.views.formatting import clean_line, format_seconds
from factory.views.looks import build_looks_table
from factory.views.run_stages import LIST_COLUMNS, build_stages_table, read_stage_costs
from factory.views.verdict import build_verdict_json


@click.command()
@click.argument("run", default="latest")
@output.json_option
def command(run: str, as_json: bool) -> None:
    """Show a run, live or finished. RUN is a run id or its prefix, a specialist's NAME or NAME@VERSION, or `latest`."""
    evidence = find_run_outputs(find_home(), run)
    if as_json:
        output.print_json({**build_verdict_json(evidence), **_build_run_details(evidence)})
        return
    _print_run_overview(evidence)
    verdict = format_verdict_panel(evidence) if evidence.run.verdict else ""
    if verdict:
        output.print_line(f"\n{verdict}")


def _build_run_details(evidence: RunOutputs) -> dict[str, Any]:
    run = evidence.run
    stages = [stage.to_json() for stage in run.stages.values()]
    notes = [{"stage": stage, "level": level, "text": text} for stage, level, text in run.notes]
    curve = evidence.read_training_curve()
    cost = measure_build_cost(evidence).to_json()
    return {
        "started": run.started, "spec": run.spec, "stages": stages, "cost": cost, "notes": notes, "curve": curve,
        "looks": build_looks_table(evidence).to_dicts(),
    }


def _print_run_overview(evidence: RunOutputs) -> None:
    run = evidence.run
    head = f"{output.style_bold(run.name or run.id)}  {clean_line(run.task)} {clean_line(run.profile)}"
    output.print_line(f"{head} {output.style_dim(run.id)}  {run.state}, {format_seconds(run.seconds)}")
    stages = build_stages_table(run, time.time(), read_stage_costs(evidence))
    output.print_line(output.format_table(stages.select(LIST_COLUMNS)))
    cost = measure_build_cost(evidence)
    output.print_line(output.style_dim(f"cost: {describe_build_cost(cost)}"))
    if cost.requests:
        output.print_line(f"\n{output.format_table(build_requests_table(cost))}\n")
    looks = build_looks_table(evidence)
    if len(looks.rows) > 1:
        output.print_line(f"\n{output.format_table(looks)}\n")
    for stage, level, text in run.notes:
        output.print_line(f"{'warning' if level == 'warning' else 'note'}: {stage or 'build'}: {clean_line(text)}")
    for curve in build_training_curves(evidence):
        if len(curve.points) < 3:  # fewer say nothing as a plot
            continue
        output.print_line(f"\n{output.style_bold(curve.title)}\n{plot_braille(curve)}")
