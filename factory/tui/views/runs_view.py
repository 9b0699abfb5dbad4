"""The list of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from factory.runs.run_view import RUNNING
from factory.tui import theme
from factory.tui.estimates import RemainingTime
from factory.tui.rich_text import Line, make_line, sanitise, wrap_line
from factory.tui.run_index import RunSummary
from factory.tui.table import Cell, Column, Table, TableRow
from factory.views import formatting

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
NONE_YET = "no runs yet: start one with `factory build SPEC` and follow it here"
DRAWN = 21
LEAST, MOST = 0.1, 0.6
"""Gains are drawn from minus to plus the largest, which counts as so much at least and at most."""


def build_runs_table(
    summaries: Iterable[RunSummary], now: float, finishes: Mapping[str, RemainingTime] | None = None
) -> Table:
    """All runs with what a person asks first: what is it, how is it, should it ship, by how much."""
    every = list(summaries)
    most = max([LEAST, *(abs(v) for s in every for v in (s.low, s.high) if v is not None)])
    rows = [_make_run_row(one, one.state, now, (finishes or {}).get(one.id), min(most, MOST)) for one in every]
    return Table(COLUMNS, tuple(rows), NONE_YET)


def _make_run_row(one: RunSummary, state: str, now: float, finish: RemainingTime | None, most: float) -> TableRow:
    going = state == RUNNING
    age = max(0.0, now - one.started) if one.started else None
    took = one.seconds or (max(0.0, (now if going else one.last_event_at) - one.started) if one.started else None)
    stage = f"{one.stage_number}/{one.stage_count} {one.stage}" if one.stage and not one.verdict else ""
    values: tuple[Any, ...] = (
        one.name or one.id,
        state,
        stage,
        round(one.compute_progress(), 4) if going else None,
        finish.seconds if finish and going else None,
        theme.format_verdict(one.verdict)[0],
        one.metric,
        one.score,
        one.difference,
        one.baseline,
        f"{one.low} to {one.high}" if one.low is not None else "",
        one.low,
        age,
        took,
        one.task,
        one.profile,
        one.id,
    )
    return TableRow(one.id, values, partial(_make_cells, one, state, values, finish, most))


def _make_cells(
    one: RunSummary, state: str, values: Sequence[Any], finish: RemainingTime | None, most: float
) -> tuple[Cell, ...]:
    going, age, took = state == RUNNING, values[12], values[13]
    left = finish.text if finish and going else _format_stage_remaining(one) if going else ""
    return (
        make_line((sanitise(one.name or one.id), "strong")),
        _render_state(one, state),
        make_line((sanitise(values[2]), "run" if going else "dim")),
        f"{round(100 * one.compute_progress())}\u00a0%" if going else "",
        left,
        make_line(theme.format_verdict(one.verdict)),
        sanitise(one.metric),
        formatting.format_number(one.score) if one.score is not None else "",
        _render_gain(one),
        sanitise(one.baseline),
        _render_gain_interval(one),
        _plot_interval(one, most),
        formatting.format_ago(age).removesuffix(" ago") if age is not None else "",
        formatting.format_seconds(took) if took else "",
        sanitise(one.task),
        sanitise(one.profile),
        one.id,
    )


def _render_state(one: RunSummary, state: str) -> Line:
    """The state, and what is odd about its journal."""
    odd = (
        "unreadable"
        if not one.readable
        else "newer"
        if one.newer_version
        else "torn"
        if one.torn and state != RUNNING
        else ""
    )
    return make_line(theme.format_run_state(state), (f" ({odd})" if odd else "", "warn"))


def _format_stage_remaining(one: RunSummary) -> str:
    """What remains of the stage alone, when the whole is not known."""
    if not one.total or one.rate <= 0:
        return ""
    return f"{formatting.format_seconds((one.total - one.done) / one.rate)}+"


def _render_gain(one: RunSummary) -> Line:
    if one.difference is None:
        return ()
    clear = one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
    return make_line(
        (formatting.format_signed(one.difference), ("good" if one.difference > 0 else "bad") if clear else "warn")
    )


def _render_gain_interval(one: RunSummary) -> Line:
    return (
        make_line((f"{formatting.format_signed(one.low)} to {formatting.format_signed(one.high)}", "dim"))
        if one.low is not None
        else ()
    )


def _plot_interval(one: RunSummary, most: float) -> Line:
    if one.low is None or one.high is None or one.difference is None:
        return ()
    return make_line((theme.render_interval(one.low, one.difference, one.high, (-most, most), DRAWN), "dim"))


def render_preview(one: RunSummary | None, room: int) -> list[Line]:
    """What to do about the run under the cursor, in words."""
    if one is None:
        return []
    said = {
        formatting.SHIP: "ship it: better than every baseline, outside the noise",
        formatting.NO_SHIP: "do not ship: see which rows it loses on Verdict (3) or Compare (4)",
        formatting.PROMPTING_IS_ENOUGH: "do not ship: prompting the base does as well",
        formatting.INSUFFICIENT_EVIDENCE: "inconclusive: more test rows are needed",
    }.get(one.verdict, "")
    ended = {
        "dead": "its process died; run the same build command to resume",
        "interrupted": "it was interrupted; run the same build command to resume",
        "failed": f"it failed: {sanitise(one.error)}" if one.error else "it failed",
        RUNNING: f"running {sanitise(one.stage)}",
    }.get(one.state, "")
    text = said or ended or "it ended without a verdict"
    return wrap_line(make_line((sanitise(one.name), "strong"), f"  {text}"), room)


def to_json(summaries: Iterable[RunSummary]) -> list[dict[str, Any]]:
    """The list as data."""
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
            "seconds": s.seconds,
            "torn": s.torn,
            "newer": s.newer_version,
            "error": s.error,
        }
        for s in summaries
    ]
