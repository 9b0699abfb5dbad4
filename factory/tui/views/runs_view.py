"""The Runs screen: a table of all runs, and advice on the run under the cursor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from factory.events import Verdict
from factory.runs.run_index import RunSummary
from factory.runs.run_view import RUNNING
from factory.tui import theme
from factory.tui.estimates import RemainingTime
from factory.tui.rich_text import Line, make_line, sanitise, wrap_line
from factory.views import formatting
from factory.views.elements import Cell, Column, Interval, Table, TableRow, Text

COLUMNS = (
    Column("specialist", min_width=14, max_width=30),
    Column("state", min_width=13, max_width=26),
    Column("stage", drop_rank=3, min_width=10, max_width=32),
    Column("done", align_right=True, drop_rank=1, min_width=5),
    Column("left", align_right=True, drop_rank=4, min_width=11, max_width=13),
    Column("verdict", min_width=11),
    Column("metric", drop_rank=5, min_width=12),
    Column("score", align_right=True, drop_rank=4, min_width=6),
    Column("gain", align_right=True, drop_rank=1, min_width=6),
    Column("over", drop_rank=3, min_width=10, max_width=20),
    Column("interval", drop_rank=6, min_width=16),
    Column("", drop_rank=9, min_width=21),
    Column("age", align_right=True, drop_rank=2, min_width=8),
    Column("took", align_right=True, drop_rank=7, min_width=11),
    Column("task", drop_rank=8, min_width=15, max_width=20),
    Column("profile", drop_rank=8, min_width=8, max_width=10),
    Column("run", drop_rank=10, min_width=24),
)
MIN_SCALE, MAX_SCALE = 0.1, 0.6
"""Bounds of the scale on which all gains are drawn: from minus to plus the largest interval bound of any run."""


def build_runs_table(
    summaries: Iterable[RunSummary], now: float, estimates: Mapping[str, RemainingTime] | None = None
) -> Table:
    """Return the runs with state, progress, verdict, score and gain over the deciding baseline."""
    runs = list(summaries)
    scale = min(MAX_SCALE, max([MIN_SCALE, *(abs(v) for run in runs for v in (run.low, run.high) if v is not None)]))
    rows = [_make_run_row(run, now, (estimates or {}).get(run.id), scale) for run in runs]
    return Table(COLUMNS, tuple(rows), "no runs yet: start one with `factory build SPEC` and follow it here")


def _make_run_row(run: RunSummary, now: float, estimate: RemainingTime | None, scale: float) -> TableRow:
    # Looked up once: `state` asks the system whether the process is alive.
    state = run.state
    is_running = state == RUNNING
    age = max(0.0, now - run.started) if run.started else None
    last = now if is_running else run.last_event_at
    values: tuple[Any, ...] = (
        run.name or run.id,
        state,
        f"{run.stage_number}/{run.stage_count} {run.stage}" if run.stage and not run.verdict else "",
        round(run.compute_progress(), 4) if is_running else None,
        estimate.seconds if estimate and is_running else None,
        theme.format_verdict(run.verdict)[0],
        run.metric,
        run.score,
        run.difference,
        run.baseline,
        f"{run.low} to {run.high}" if run.low is not None else "",
        run.low,
        age,
        run.seconds or (max(0.0, last - run.started) if run.started else None),
        run.task,
        run.profile,
        run.id,
    )
    return TableRow(run.id, values, partial(_make_cells, run, values, estimate, scale))


def _make_cells(
    run: RunSummary, values: Sequence[Any], estimate: RemainingTime | None, scale: float
) -> tuple[Cell, ...]:
    state, stage, age, took = values[1], values[2], values[12], values[13]
    is_running = state == RUNNING
    return (
        make_line((sanitise(run.name or run.id), "strong")),
        _render_state(run, state),
        make_line((sanitise(stage), "run" if is_running else "dim")),
        f"{round(100 * run.compute_progress())}\u00a0%" if is_running else "",
        _format_remaining(run, estimate) if is_running else "",
        make_line(theme.format_verdict(run.verdict)),
        sanitise(run.metric),
        formatting.format_number(run.score) if run.score is not None else "",
        render_gain(run),
        sanitise(run.baseline),
        *_make_interval_cells(run, scale),
        formatting.format_ago(age).removesuffix(" ago") if age is not None else "",
        formatting.format_seconds(took) if took else "",
        sanitise(run.task),
        sanitise(run.profile),
        run.id,
    )


def _render_state(run: RunSummary, state: str) -> Line:
    """Return the state, and whether the journal is unreadable, of a newer version, or torn (ends within a line)."""
    notes = {"unreadable": not run.readable, "newer": run.newer_version, "torn": run.torn and state != RUNNING}
    note = next((f" ({word})" for word, applies in notes.items() if applies), "")
    return make_line(theme.format_run_state(state), (note, "warn"))


def _format_remaining(run: RunSummary, estimate: RemainingTime | None) -> str:
    """Return the time until the run ends; without an estimate, that of its stage with a `+`."""
    if estimate:
        return estimate.text
    return f"{formatting.format_seconds((run.total - run.done) / run.rate)}+" if run.total and run.rate > 0 else ""


def render_gain(run: RunSummary) -> Line:
    """Return the gain over the deciding baseline, coloured by its sign if the interval excludes zero."""
    if run.difference is None:
        return ()
    is_clear = run.low is not None and run.high is not None and (run.low > 0 or run.high < 0)
    tone = ("good" if run.difference > 0 else "bad") if is_clear else "warn"
    return make_line((formatting.format_signed(run.difference), tone))


def _make_interval_cells(run: RunSummary, scale: float) -> tuple[Cell, Cell]:
    """Return the interval of the gain as numbers and as a bar."""
    if run.difference is None or run.low is None or run.high is None:
        return (), ()
    interval = Interval(run.low, run.difference, run.high, (-scale, scale), (0.0,), "dim")
    return Text(formatting.format_bounds(run.low, run.high), "dim"), interval


def render_preview(run: RunSummary | None, width: int) -> list[Line]:
    """Return what the run under the cursor came to, and what to do next."""
    if run is None:
        return []
    advice = Verdict.from_word(run.verdict).facts.advice
    outcome = {
        "dead": "its process died; run the same build command to resume",
        "interrupted": "it was interrupted; run the same build command to resume",
        "failed": f"it failed: {sanitise(run.error)}" if run.error else "it failed",
        RUNNING: f"running {sanitise(run.stage)}",
    }.get(run.state, "it ended without a verdict")
    return wrap_line(make_line((sanitise(run.name), "strong"), f"  {advice or outcome}"), width)


def to_json(summaries: Iterable[RunSummary]) -> list[dict[str, Any]]:
    """Return the list as JSON data."""
    return [
        {
            "run": s.id,
            "name": s.name,
            "task": s.task,
            "profile": s.profile,
            "state": s.state,
            "stage": s.stage,
            "progress": round(s.compute_progress(), 4),
            "verdict": s.verdict,
            "metric": s.metric,
            "score": s.score,
            "baseline": s.baseline,
            "difference": s.difference,
            "low": s.low,
            "high": s.high,
            "started": s.started,
            "seconds": s.seconds or round(max(0.0, s.last_event_at - s.started), 3),
            "torn": s.torn,
            "newer": s.newer_version,
            "error": s.error,
        }
        for s in summaries
    ]
