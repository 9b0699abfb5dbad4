"""Print a screen once, as text or data, for dumb terminals, scripts and tests. Needs neither app nor terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.evaluation.comparison import load_comparison, load_deciding_comparison, load_slices
from factory.runs.run_index import RunIndex
from factory.runs.run_view import RUNNING
from factory.runs.specialists import find_run_outputs, find_version_outputs, list_specialists
from factory.tui.estimates import estimate_remaining_time, load_earlier_runs
from factory.tui.rich_text import Line, make_line, render_plain_text, sanitise
from factory.tui.run_watcher import watch_run
from factory.tui.table import render_cell, render_table
from factory.tui.views import compare_view, data, log, run, totals_view, verdict_view
from factory.tui.views.specialists_view import render_lineage
from factory.tui.widgets.curves import CurveStyle, render_text
from factory.views.compare import (
    build_comparison_json,
    build_metrics_table,
    build_rows_table,
    build_spec_table,
    describe_counts,
)
from factory.views.cost import build_answer_costs_table, describe_build_cost, measure_build_cost
from factory.views.curves import build_metric_curve
from factory.views.data import build_preflight_table
from factory.views.runs import build_runs_json, build_runs_table
from factory.views.specialists import build_lineage_view, build_specialists_json, build_specialists_table
from factory.views.verdict import build_verdict_view
from factory.views.verdict_tables import build_slices_table

PRINTABLE_SCREENS = ("runs", "run", "verdict", "compare", "specialists")
MAX_COMPARED_ROWS = 10
MAX_EXAMPLES = 3
"""Compared rows whose answers are printed."""
MAX_SLICES = 30
CURVE_WIDTH, CURVE_HEIGHT = 100, 14
MAX_LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class ScreenSnapshot:
    """A screen: its lines for a given width, and its content as JSON data."""

    lines: Callable[[int], Sequence[Line]]
    data: Any

    def render(self, width: int) -> str:
        """Return the screen as plain text."""
        return render_plain_text(self.lines(width))


def take_snapshot(home: Path, screen: str, names: Sequence[str], now: float) -> ScreenSnapshot:
    """Return one screen, limited to the named runs or specialists. Raises InputError for an unknown run."""
    index = RunIndex(home).load().refresh()
    # The app and the next snapshot start faster with what was read here.
    index.save()
    return {
        "runs": _snapshot_runs, "run": _snapshot_run, "verdict": _snapshot_verdict, "compare": _snapshot_comparison,
        "specialists": _snapshot_specialists,
    }[screen](home, index, list(names), now)


def _make_section(title: str, lines: Iterable[Line]) -> list[Line]:
    return [make_line(), make_line((title, "title")), *lines]


def _snapshot_runs(home: Path, index: RunIndex, names: Sequence[str], now: float) -> ScreenSnapshot:
    summaries = [run for run in index.list_runs() if not names or run.id in names or run.name in names]
    table = build_runs_table(summaries, now)
    return ScreenSnapshot(lambda width: render_table(table, width), build_runs_json(summaries))


def _snapshot_run(home: Path, index: RunIndex, names: Sequence[str], now: float) -> ScreenSnapshot:
    outputs = find_run_outputs(home, names[0] if names else "latest")
    watcher = watch_run(home, outputs.run.id).read_all()
    view = watcher.get_view()
    remaining = None
    if view.state == RUNNING:
        remaining = estimate_remaining_time(view, load_earlier_runs(home, view.name, index), now)
    tail = log.LogTail(watcher.path.with_name("worker.log"))
    tail.poll()
    preflight = build_preflight_table(outputs.read_stage_json("preflight"))

    def render(width: int) -> list[Line]:
        lines = [*run.render_heading(watcher, view, now, remaining), *run.render_failures(view, width)]
        lines += [*run.render_measurements(watcher, view, None, None, width), make_line()]
        lines += render_table(run.build_stages_table(view, now), width)
        for name in watcher.list_metrics()[:1]:
            curve = build_metric_curve(name, watcher.get_curve(name))
            plot = render_text([curve], CurveStyle(), min(width, CURVE_WIDTH), CURVE_HEIGHT)
            lines += _make_section(f"{curve.title}, smoothed", map(make_line, plot.splitlines()))
        lines += _make_section("data", data.render_page(outputs, width))
        lines += _make_section("preflight", render_table(preflight, width))
        return lines + _make_section("log", log.render_page(watcher.notes, tail.lines[-MAX_LOG_LINES:], width))

    return ScreenSnapshot(render, {**run.to_json(watcher, remaining), **data.to_json(outputs)})


def _snapshot_verdict(home: Path, index: RunIndex, names: Sequence[str], now: float) -> ScreenSnapshot:
    outputs = find_run_outputs(home, names[0] if names else "latest")
    page = build_verdict_view(outputs)
    slices = load_slices(load_deciding_comparison(outputs)) if page.verdict else []

    def render(width: int) -> list[Line]:
        lines = [*verdict_view.render_headline(page, outputs.run, width), make_line()]
        lines += render_table(page.contenders, width)
        lines += _make_section("why", verdict_view.render_reasons(page, width))
        slices_table = build_slices_table(slices, page.confidence, page.tuned, page.baseline)
        lines += _make_section(f"slices: tuned against {page.baseline}", render_table(slices_table, width, MAX_SLICES))
        lines += [make_line(), *totals_view.render_page(page, width)]
        lines += _make_section("forgetting", render_table(page.forgetting, width))
        lines += [make_line((sanitise(drift), "dim")) for drift in page.drift]
        cost = f"cost: {describe_build_cost(measure_build_cost(outputs))}"
        return lines + _make_section(cost, render_table(build_answer_costs_table(outputs), width))

    return ScreenSnapshot(render, verdict_view.to_json(outputs, slices))


def _snapshot_comparison(home: Path, index: RunIndex, names: Sequence[str], now: float) -> ScreenSnapshot:
    comparison = load_comparison(home, names)
    for _ in comparison.score_metrics():
        pass
    pair = comparison.find_pair(0, 1)

    def render(width: int) -> list[Line]:
        rows = build_rows_table(comparison, pair)
        counts = [render_cell(describe_counts(pair))] if pair else []
        lines = [*compare_view.render_legend(comparison, 1, width), *counts, make_line()]
        lines += render_table(build_metrics_table(comparison, comparison.scores), width)
        lines += _make_section("spec differences", render_table(build_spec_table(comparison), width))
        lines += _make_section("rows, largest losses of A first", render_table(rows, width, MAX_COMPARED_ROWS))
        for row in rows.rows[:MAX_EXAMPLES]:
            lines += [make_line(), *compare_view.render_answers(comparison, row.key, 1, width)]
        return lines

    return ScreenSnapshot(render, build_comparison_json(comparison))


def _snapshot_specialists(home: Path, index: RunIndex, names: Sequence[str], now: float) -> ScreenSnapshot:
    entries = list_specialists(home, index.list_runs())
    entries = [e for e in entries if not names or e.version.name in names or e.label in names]

    def render(width: int) -> list[Line]:
        lines = list(render_table(build_specialists_table(entries, index.summaries, now), width))
        for entry in entries if names else ():
            page = build_lineage_view(entry, find_version_outputs(home, entry.version))
            lines += [make_line(), *render_lineage(page, None, width)]
        return lines

    return ScreenSnapshot(render, build_specialists_json(entries, index.summaries))
