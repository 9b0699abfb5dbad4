"""The data of a run: the funnel from sources to training rows, dropped rows, and the findings of preflight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.runs.profile import read_funnel
from factory.runs.run_outputs import RunOutputs
from factory.tui.rich_text import Line, make_line, sanitise, wrap_line, wrap_text
from factory.tui.table import render_table
from factory.views.data import build_funnel_table, describe_leakage
from factory.views.formatting import format_count, format_percent

MAX_DROPPED_ROWS = 12


def render_findings(outputs: RunOutputs, name: str, width: int) -> list[Line]:
    """Return a check's numbers and the example rows that it found."""
    checks = outputs.read_stage_json("preflight").get("checks", [])
    check: Mapping[str, Any] = next((c for c in checks if c.get("check") == name), {})
    share, limit = format_percent(check.get("share")), format_percent(check.get("limit"))
    numbers = f": {format_count(check.get('rows', 0), 'row')}, {share}, limit {limit}"
    lines = wrap_line(make_line((sanitise(name), "strong"), numbers), width)
    for example in check.get("examples") or []:
        lines += wrap_text(sanitise(example.get("text", "")), width, "", f"  {sanitise(example.get('row', ''))}  ")
    return lines if check.get("examples") else [*lines, make_line(("no example rows", "dim"))]


def render_dropped_rows(outputs: RunOutputs, width: int) -> list[Line]:
    """Return the first rows that curation dropped, each with the step and its reason."""
    lines: list[Line] = []
    # Read lazily: the file lists every dropped row.
    for entry, _ in zip(outputs.read_stage_lines("curate", "dropped.jsonl"), range(MAX_DROPPED_ROWS), strict=False):
        columns = (entry.get("row") or {}).get("columns") or {}
        text = " · ".join(sanitise(v) for v in columns.values() if isinstance(v, str))
        twin = f" ({entry['twin']})" if entry.get("twin") else ""
        reason = sanitise(f"{entry.get('step', '')}: {entry.get('why', '')}{twin}")
        lines += wrap_line(make_line((reason, "warn"), f"  {sanitise(text, max(10, 2 * width - 30))}"), width, 4)
    return lines


def render_page(outputs: RunOutputs, width: int) -> list[Line]:
    """Return the funnel and the proof of no leakage, with examples of dropped rows below them."""
    proof = describe_leakage(outputs.read_stage_json("curate").get("leakage"))
    lines = [*render_table(build_funnel_table(read_funnel(outputs)), width), make_line(proof)]
    dropped = render_dropped_rows(outputs, width)
    return [*lines, make_line(), make_line(("examples of dropped rows", "title")), *dropped] if dropped else lines


def to_json(outputs: RunOutputs) -> dict[str, Any]:
    """Return the data as JSON data."""
    return {
        "funnel": [step.to_json() for step in read_funnel(outputs)],
        "leakage": outputs.read_stage_json("curate").get("leakage"),
        "preflight": outputs.read_stage_json("preflight").get("checks", []),
    }
