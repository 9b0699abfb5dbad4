"""The data of a run: the funnel from sources to training rows, the proof of no leakage, and the preflight checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.data.leakage import count_remaining_leaks
from factory.runs.profile import FunnelStep
from factory.views.elements import Column, ShareBar, Table, TableRow, Text, make_row
from factory.views.formatting import clean_line, format_count, format_percent

FUNNEL_COLUMNS = (
    Column("stage", drop_rank=3, min_width=6),
    Column("step", min_width=14, max_width=30),
    Column("change", align_right=True, min_width=6, max_width=24),
    Column("rows", align_right=True, min_width=5),
    Column("", drop_rank=2, min_width=16, key="bar"),
    Column("reasons", drop_rank=1, min_width=12, max_width=240),
)
CHECK_COLUMNS = (
    Column("", min_width=8, key="result"),
    Column("check", min_width=10),
    Column("rows", align_right=True, min_width=4),
    Column("share", align_right=True, min_width=6),
    Column("limit", align_right=True, drop_rank=1, min_width=6),
    Column("for example", drop_rank=2, min_width=14, max_width=90),
)
MAX_REASONS, MAX_REASON_LETTERS = 3, 60


def build_funnel_table(steps: Sequence[FunnelStep]) -> Table:
    """Return a row per step: rows added, dropped and changed, the rows left after it, and why."""
    largest = max([step.rows for step in steps] or [1]) or 1
    return Table(FUNNEL_COLUMNS, tuple(_make_step_row(step, largest) for step in steps), "no rows gathered yet")


def _make_step_row(step: FunnelStep, largest: int) -> TableRow:
    counts = {"+": step.added, "−": step.dropped, "~": step.changed}
    changes = " ".join(f"{sign}{count:,}" for sign, count in counts.items() if count) or "0"
    reasons = [f"{clean_line(why, MAX_REASON_LETTERS)} {count:,}" for why, count in step.reasons.items()]
    hidden = [f"{len(reasons) - MAX_REASONS} more"] if len(reasons) > MAX_REASONS else []
    why = ", ".join([*([step.note] if step.note else []), *reasons[:MAX_REASONS], *hidden])
    tone = "good" if step.added else "warn" if step.dropped else "dim"
    cells = (
        Text(step.stage, "dim"), Text(step.step), Text(changes, tone), Text(f"{step.rows:,}"),
        ShareBar(step.rows / largest, tone="run"), Text(why, "dim"),
    )
    return make_row(f"{step.stage}: {step.step}", *cells, values=(step.stage, step.step, changes, step.rows, "", why))


def describe_leakage(proof: Mapping[str, Any] | None) -> Text:
    """Return whether a training row matches a held-out row; empty without a proof."""
    if not proof:
        return Text("")
    leaks = count_remaining_leaks(proof)
    if leaks:
        return Text(f"Leakage: {format_count(leaks, 'training row')} too similar to held-out rows (frozen).", "bad")
    return Text("No training row matches a held-out row (frozen).", "good")


def build_preflight_table(preflight: Mapping[str, Any]) -> Table:
    """Return the checks of preflight with the rows they found and an example, failed ones first."""
    ordered = sorted(preflight.get("checks", []), key=lambda c: (c.get("passed", True), -c.get("rows", 0)))
    return Table(CHECK_COLUMNS, tuple(map(_make_check_row, ordered)), "preflight has not run yet")


def _make_check_row(check: Mapping[str, Any]) -> TableRow:
    name, share, limit = str(check.get("check", "")), check.get("share"), check.get("limit")
    count, examples = int(check.get("rows", 0)), check.get("examples") or []
    example = f"{examples[0].get('row', '')}: {examples[0].get('text', '')}" if examples else ""
    word, tone = ("✓ passed", "good" if count else "dim") if check.get("passed") else ("✗ failed", "bad")
    cells = (
        Text(word, tone), Text(name), Text(f"{count:,}", "" if count else "dim"), Text(format_percent(share)),
        Text(format_percent(limit)), Text(example, "dim"),
    )
    return make_row(name, *cells, values=(word, name, count, share, limit, example))
