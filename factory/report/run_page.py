"""A run as one self-contained HTML file, without scripts, external fonts or images."""

from __future__ import annotations

import time

from factory.events import Verdict
from factory.report.rendering import Section, render_page
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import RunView
from factory.views.cost import (
    build_answer_costs_table,
    build_requests_table,
    describe_build_cost,
    measure_build_cost,
)
from factory.views.curves import build_training_curves
from factory.views.data_page import build_data_view
from factory.views.elements import Table
from factory.views.formatting import format_seconds
from factory.views.resolved_spec import build_spec_fields_table
from factory.views.row_examples import build_row_examples_view
from factory.views.run_stages import build_stages_table, read_stage_costs
from factory.views.scores import build_score_means_table, list_contender_settings
from factory.views.training import list_training_facts
from factory.views.verdict import SCORE_COLUMNS, build_verdict_view

SECTIONS = (
    Section("contenders", "Contenders", "Contenders (baselines and candidates)"),
    Section("gate", "Gate", "How the gate decided"),
    Section("whole", "Aggregate metrics", "Aggregate metrics"),
    Section("general", "General capability", "General capability"),
    Section("cost", "Cost", "Cost of the answers"),
    Section("rows", "Row by row", "Row by row"),
    Section("training", "Training", "Training"),
    Section("data", "Data", "Data"),
    Section("work", "Stages", "Stages"),
    Section("spec", "Spec", "Resolved spec"),
)
COST_COLUMNS = ("contender", "rows", "took", "a row", "memory")


def render_run_page(outputs: RunOutputs) -> str:
    """Render the whole page; sections of stages that the run did not reach are omitted."""
    page, run, cost = build_verdict_view(outputs), outputs.run, measure_build_cost(outputs)
    title = Verdict.from_word(page.verdict).facts.title if page.verdict else ""
    order = [row.key for row in page.contenders.rows]
    return render_page("run", SECTIONS, {
        "title": f"{run.name or run.id}: {title or run.state}", "page": page, "run": run, "verdict": title,
        "tone": Verdict.from_word(page.verdict).facts.tone if page.verdict else "", "origin": _describe_origin(run),
        "scores": page.contenders.select(SCORE_COLUMNS),
        "means": build_score_means_table(outputs.read_stage_json("score"), order),
        "costs": _build_measured_costs_table(outputs), "settings": list_contender_settings(outputs),
        "rows": build_row_examples_view(page, outputs), "curves": build_training_curves(outputs),
        "training": list_training_facts(outputs), "data": build_data_view(outputs),
        "stages": build_stages_table(run, time.time(), read_stage_costs(outputs)),
        "cost_summary": describe_build_cost(cost), "requests": build_requests_table(cost),
        "fields": build_spec_fields_table(run.resolved),
    })


def _describe_origin(run: RunView) -> str:
    """Return the task, the profile, the day and the duration of a run, and the factory that made it."""
    day = time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(run.started))
    profile = f"profile {run.profile}" if run.profile else ""
    parts = (run.task, profile, day, format_seconds(run.seconds), f"factory {run.factory}")
    return " · ".join(part for part in parts if part)


def _build_measured_costs_table(outputs: RunOutputs) -> Table:
    """Return the costs of the answers; without rows if no contender has answered."""
    costs = build_answer_costs_table(outputs).select(COST_COLUMNS)
    return costs if any(row.values[1] for row in costs.rows) else Table(costs.columns)
