"""Runs in a list: what CLI and TUI show of each, from its summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from factory.events import Verdict
from factory.runs.run_index import RunSummary
from factory.runs.run_view import RUNNING
from factory.views import formatting
from factory.views.elements import Cell, Column, Interval, Table, TableRow, Text
from factory.views.signs import SMOKE_WARNING, describe_unfinished, format_run_state, format_verdict

RUN_COLUMNS = (
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
    Column("", drop_rank=9, min_width=21, key="gain bar"),
    Column("age", align_right=True, drop_rank=2, min_width=8),
    Column("took", align_right=True, drop_rank=7, min_width=11),
    Column("task", drop_rank=8, min_width=15, max_width=20),
    Column("profile", drop_rank=8, min_width=8, max_width=10),
    Column("run", drop_rank=10, min_width=24),
)
LIST_COLUMNS = (
    "run", "task", "profile", "state", "verdict", "metric", "score", "gain", "over", "interval", "took", "age",
)
MIN_SCALE, MAX_SCALE = 0.1, 0.6
"""Bounds of the scale on which all gains are drawn: from minus to plus the largest interval bound of any run."""

Remaining = tuple[float, str]
"""The seconds until a run ends, as a number and as a text."""


def build_runs_table(
    summaries: Iterable[RunSummary], now: float, remaining: Mapping[str, Remaining] | None = None
) -> Table:
    """Return the runs with state, progress, verdict, score and gain over the deciding baseline."""
    runs = list(summaries)
    scale = min(MAX_SCALE, max([MIN_SCALE, *(abs(v) for run in runs for v in (run.low, run.high) if v is not None)]))
    rows = tuple(_make_run_row(run, now, (remaining or {}).get(run.id), scale) for run in runs)
    return Table(RUN_COLUMNS, rows, "no runs yet: start one with `factory build SPEC` and follow it here")


def build_runs_list(summaries: Iterable[RunSummary], now: float) -> Table:
    """Return the runs by their ids, which other commands take, without what changes while they run."""
    table = build_runs_table(summaries, now).select(LIST_COLUMNS)
    run, *others = table.columns
    return replace(table, columns=(replace(run, drop_rank=0, min_width=run.max_width), *others))


def _make_run_row(run: RunSummary, now: float, remaining: Remaining | None, scale: float) -> TableRow:
    # Looked up once: `state` asks the system whether the process is alive.
    state = run.state
    is_running = state == RUNNING
    last = now if is_running else run.last_event_at
    values: tuple[Any, ...] = (
        run.name or run.id, state,
        f"{run.stage_number}/{run.stage_count} {run.stage}" if run.stage and not run.verdict else "",
        round(run.compute_progress(), 4) if is_running else None, remaining[0] if remaining and is_running else None,
        _format_run_verdict(run).text, run.metric, run.score, run.difference, run.baseline,
        f"{run.low} to {run.high}" if run.low is not None else "", run.low,
        max(0.0, now - run.started) if run.started else None,
        run.seconds or (max(0.0, last - run.started) if run.started else None), run.task, run.profile, run.id,
    )
    return TableRow(run.id, values, partial(_make_run_cells, run, values, remaining, scale))


def _make_run_cells(
    run: RunSummary, values: Sequence[Any], remaining: Remaining | None, scale: float
) -> tuple[Cell, ...]:
    name, state, stage, progress, *_ = values
    age, took = values[12:14]
    is_running = state == RUNNING
    left = remaining[1] if remaining else _format_stage_time(run)
    gain: tuple[Cell, Cell] = ("", "")
    if run.difference is not None and run.low is not None and run.high is not None:
        interval = Interval(run.low, run.difference, run.high, (-scale, scale), (0.0,), "dim")
        gain = (Text(formatting.format_bounds(run.low, run.high), "dim"), interval)
    return (
        Text(name, "strong"), (format_run_state(state), *_describe_journal(run, state)),
        Text(stage, "run" if is_running else "dim"), f"{round(100 * progress)}\u00a0%" if is_running else "",
        left if is_running else "", _format_run_verdict(run), run.metric,
        formatting.format_number(run.score) if run.score is not None else "", format_gain(run), run.baseline, *gain,
        formatting.format_ago(age).removesuffix(" ago") if age is not None else "",
        formatting.format_seconds(took) if took else "", run.task, run.profile, run.id,
    )


def _format_run_verdict(run: RunSummary) -> Text:
    """Return the verdict of a run; that of a smoke build says so, and has no tone."""
    verdict = format_verdict(run.verdict)
    return Text(f"{verdict.text} (smoke)", "dim") if run.verdict and run.is_smoke else verdict


def _describe_journal(run: RunSummary, state: str) -> list[Text]:
    """Return whether the journal is unreadable, of a newer version, or torn (ends within a line)."""
    notes = {"unreadable": not run.readable, "newer": run.newer_version, "torn": run.torn and state != RUNNING}
    return [Text(f"({word})", "warn") for word, applies in notes.items() if applies][:1]


def _format_stage_time(run: RunSummary) -> str:
    """Return the time that the running stage will take at its present rate, with a `+` for the stages after it."""
    return f"{formatting.format_seconds((run.total - run.done) / run.rate)}+" if run.total and run.rate > 0 else ""


def format_gain(run: RunSummary) -> Text:
    """Return the gain over the deciding baseline, coloured by its sign if the interval excludes zero."""
    if run.difference is None:
        return Text("")
    is_clear = run.low is not None and run.high is not None and (run.low > 0 or run.high < 0)
    tone = ("good" if run.difference > 0 else "bad") if is_clear else "warn"
    return Text(formatting.format_signed(run.difference), tone)


def describe_outcome(run: RunSummary) -> str:
    """Return what a run came to, and what to do next."""
    if run.verdict and run.is_smoke:
        return SMOKE_WARNING
    return Verdict.from_word(run.verdict).facts.advice or describe_unfinished(run.state, run.stage, run.error)


def build_runs_json(summaries: Iterable[RunSummary]) -> list[dict[str, Any]]:
    """Return the list as JSON data."""
    first = ("name", "task", "profile", "state", "stage")
    then = ("verdict", "metric", "score", "baseline", "difference", "low", "high", "started")
    return [
        {
            "run": run.id, **{name: getattr(run, name) for name in first}, "progress": round(run.compute_progress(), 4),
            **{name: getattr(run, name) for name in then},
            "seconds": run.seconds or round(max(0.0, run.last_event_at - run.started), 3),
            "torn": run.torn, "newer": run.newer_version, "error": run.error,
        }
        for run in summaries
    ]
