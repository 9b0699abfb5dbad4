"""The Verdict screen's heading and reasons as lines; its tables come from `factory.views` as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from factory.evaluation.slices import Slice
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import RunView
from factory.tui.rich_text import Line, make_line, sanitise, wrap_text
from factory.views.cost import build_answer_costs_table, measure_build_cost
from factory.views.signs import format_run_state, format_verdict
from factory.views.verdict import VerdictView, build_verdict_json


def render_headline(page: VerdictView, run: RunView, width: int) -> list[Line]:
    """Return the verdict, its explanation in one sentence, and what to do next."""
    head = format_verdict(page.verdict) if page.verdict else format_run_state(run.state)
    sign = make_line((head[0].upper(), head[1]) if page.verdict else head)
    lines = [make_line(*sign, "  ", (sanitise(run.name), "strong"), (f"  {run.id}", "dim"))]
    lines += wrap_text(sanitise(page.sentence), width)
    for text in (page.delivered, page.next_step, page.warning):
        lines += wrap_text(sanitise(text), width, "warn") if text else []
    return lines


def render_reasons(page: VerdictView, width: int) -> list[Line]:
    """Return what to do next, which a small head cuts off, the gate's rule and the reasons of its verdict."""
    advice = [sanitise(text) for text in (page.delivered, page.next_step, page.warning) if text]
    lines = [line for text in advice for line in wrap_text(text, width, "warn")]
    lines += wrap_text(sanitise(page.rule or "the gate made no comparisons"), width, "dim")
    for reason in (*page.reasons, *page.seeds, page.ceiling, page.looks) if page.rule else ():
        lines += wrap_text(sanitise(reason), width, "", "• ") if reason else []
    return lines


def to_json(outputs: RunOutputs, slices: Sequence[Slice] | None) -> dict[str, Any]:
    """Return the verdict as JSON data."""
    return {
        **build_verdict_json(outputs), "slices": [asdict(result) for result in slices or ()],
        "costs": build_answer_costs_table(outputs).to_dicts(), "build_cost": measure_build_cost(outputs).to_json(),
    }
