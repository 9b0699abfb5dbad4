"""The list of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from factory.runs.run_view import RUNNING
from factory.tui import look
from factory.tui.estimates import Finish
from factory.tui.grid import Cell, Column, Grid, Record
from factory.tui.index import Summary
from factory.tui.lines import Line, line, safe, wrap
from factory.views import formatting

COLUMNS = (
    Column("specialist", least=14, most=30),
    Column("state", least=13, most=26),
    Column("stage", rank=3, least=10, most=32),
    Column("done", right=True, rank=1, least=5),
    Column("left", right=True, rank=4, least=11, most=13),
    Column("verdict", least=11),
    Column("metric", rank=5, least=12),
    Column("score", right=True, rank=4, least=6),
    Column("gain", right=True, rank=1, least=6),
    Column("over", rank=3, least=10, most=20),
    Column("interval", rank=6, least=16),
    Column("", rank=9, least=21),
    Column("age", right=True, rank=2, least=8),
    Column("took", right=True, rank=7, least=11),
    Column("task", rank=8, least=15, most=20),
    Column("profile", rank=8, least=8, most=10),
    Column("run", rank=10, least=24),
)
NONE_YET = "no runs yet; `factory build SPEC` makes one, and it shows here while it works"
DRAWN = 21
LEAST, MOST = 0.1, 0.6
"""Gains are drawn from minus to plus the largest, which counts as so much at least and at most."""


def grid(summaries: Iterable[Summary], now: float, finishes: Mapping[str, Finish] | None = None) -> Grid:
    """All runs with what a person asks first: what is it, how is it, should it ship, by how much."""
    every = list(summaries)
    most = max([LEAST, *(abs(v) for s in every for v in (s.low, s.high) if v is not None)])
    rows = [_record(one, one.state, now, (finishes or {}).get(one.id), min(most, MOST)) for one in every]
    return Grid(COLUMNS, tuple(rows), NONE_YET)


def _record(one: Summary, state: str, now: float, finish: Finish | None, most: float) -> Record:
    going = state == RUNNING
    age = max(0.0, now - one.started) if one.started else None
    took = one.seconds or (max(0.0, (now if going else one.seen) - one.started) if one.started else None)
    stage = f"{one.number}/{one.stages} {one.stage}" if one.stage and not one.verdict else ""
    values: tuple[Any, ...] = (
        one.name or one.id,
        state,
        stage,
        round(one.share(), 4) if going else None,
        finish.seconds if finish and going else None,
        look.verdict(one.verdict)[0],
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
    return Record(one.id, values, partial(_cells, one, state, values, finish, most))


def _cells(one: Summary, state: str, values: Sequence[Any], finish: Finish | None, most: float) -> tuple[Cell, ...]:
    going, age, took = state == RUNNING, values[12], values[13]
    left = finish.said if finish and going else _left(one) if going else ""
    return (
        line((safe(one.name or one.id), "strong")),
        _state(one, state),
        line((safe(values[2]), "run" if going else "dim")),
        f"{round(100 * one.share())}\u00a0%" if going else "",
        left,
        line(look.verdict(one.verdict)),
        safe(one.metric),
        formatting.format_number(one.score) if one.score is not None else "",
        _gain(one),
        safe(one.baseline),
        _interval(one),
        _drawn(one, most),
        formatting.format_ago(age).removesuffix(" ago") if age is not None else "",
        formatting.format_seconds(took) if took else "",
        safe(one.task),
        safe(one.profile),
        one.id,
    )


def _state(one: Summary, state: str) -> Line:
    """The state, and what is odd about its journal."""
    odd = (
        "unreadable" if not one.readable else "newer" if one.newer else "torn" if one.torn and state != RUNNING else ""
    )
    return line(look.state(state), (f" ({odd})" if odd else "", "warn"))


def _left(one: Summary) -> str:
    """What remains of the stage alone, when the whole is not known."""
    if not one.total or one.rate <= 0:
        return ""
    return f"{formatting.format_seconds((one.total - one.done) / one.rate)}+"


def _gain(one: Summary) -> Line:
    if one.difference is None:
        return ()
    clear = one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
    return line((formatting.format_signed(one.difference), ("good" if one.difference > 0 else "bad") if clear else "warn"))


def _interval(one: Summary) -> Line:
    return line((f"{formatting.format_signed(one.low)} to {formatting.format_signed(one.high)}", "dim")) if one.low is not None else ()


def _drawn(one: Summary, most: float) -> Line:
    if one.low is None or one.high is None or one.difference is None:
        return ()
    return line((look.interval(one.low, one.difference, one.high, (-most, most), DRAWN), "dim"))


def preview(one: Summary | None, room: int) -> list[Line]:
    """What to do about the run under the cursor, in words."""
    if one is None:
        return []
    said = {
        formatting.SHIP: "ship it: better than everything it was held against, outside the noise",
        formatting.NO_SHIP: "do not ship: see which rows it loses on Verdict (3) or Compare (4)",
        formatting.PROMPTING_IS_ENOUGH: "do not ship: prompting the base does as well",
        formatting.INSUFFICIENT_EVIDENCE: "not settled: more test rows are needed",
    }.get(one.verdict, "")
    ended = {
        "dead": "its process is gone without a last word; the same build command goes on where it stopped",
        "interrupted": "it was interrupted; the same build command goes on where it stopped",
        "failed": f"it failed: {safe(one.error)}" if one.error else "it failed",
        RUNNING: f"running {safe(one.stage)}",
    }.get(one.state, "")
    text = said or ended or "it ended without a verdict"
    return wrap(line((safe(one.name), "strong"), f"  {text}"), room)


def facts(summaries: Iterable[Summary]) -> list[dict[str, Any]]:
    """The list as data."""
    return [
        {
            "run": s.id,
            "name": s.name,
            "task": s.task,
            "profile": s.profile,
            "state": s.state,
            "stage": s.stage,
            "progress": round(s.share(), 4),
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
            "newer": s.newer,
            "error": s.error,
        }
        for s in summaries
    ]
