"""Metrics over all test rows together: totals, tables such as per-class results, and calibration plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.runs.run_outputs import RunOutputs
from factory.tui.rich_text import Line, make_line, sanitise
from factory.tui.table import Column, Table, make_row, render_table
from factory.views import formatting

PLOT_WIDTH, PLOT_HEIGHT = 31, 11
MAX_TABLE_ROWS = 40


def render_page(outputs: RunOutputs, contender: str, width: int) -> list[Line]:
    """Return all tables of a contender below each other, each with its title and plot."""
    lines: list[Line] = []
    for title, table, plot in _build_tables(outputs, contender):
        lines += [make_line((title, "title")), *plot, *render_table(table, width, MAX_TABLE_ROWS), make_line()]
    return lines or [make_line(("no metrics over all rows", "dim"))]


def _build_tables(outputs: RunOutputs, contender: str) -> Iterator[tuple[str, Table, list[Line]]]:
    """Yield (title, table, plot) of the totals of all contenders, then of each table of one contender."""
    score = outputs.read_stage_json("score")
    totals = {name: values for name, values in score.get("totals", {}).items() if values}
    metrics = list(dict.fromkeys(metric for values in totals.values() for metric in values))
    if metrics:
        columns = [Column("contender", min_width=10)]
        columns += [
            Column(m.replace("_", " "), align_right=True, drop_rank=i, min_width=6) for i, m in enumerate(metrics)
        ]
        rows = [
            make_row(name, sanitise(name), *(formatting.format_number(v[m]) if m in v else "" for m in metrics))
            for name, v in totals.items()
        ]
        yield "over all rows", Table(tuple(columns), tuple(rows)), []
    for name, records in score.get("tables", {}).get(contender, {}).items():
        if records:
            plot = plot_calibration(records) if {"confidence", "accuracy"} <= set(records[0]) else []
            yield f"{name.replace('_', ' ')} of {contender}", _build_table(records), plot


def _build_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table with a column per key; columns that hold numbers only are aligned right."""
    columns = {}
    for i, name in enumerate(dict.fromkeys(key for record in records for key in record)):
        is_numeric = all(isinstance(record.get(name), int | float) for record in records)
        columns[name] = Column(sanitise(name).replace("_", " "), align_right=is_numeric, drop_rank=i, min_width=5)
    rows = [make_row(str(i), *(_format_cell(record.get(n)) for n in columns)) for i, record in enumerate(records)]
    return Table(tuple(columns.values()), tuple(rows))


def _format_cell(value: Any) -> str:
    return formatting.format_number(value) if isinstance(value, float) else sanitise("" if value is None else value)


def plot_calibration(bins: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Return a reliability diagram: accuracy by confidence, with a dotted diagonal (Guo et al. 2017)."""
    right, bottom = PLOT_WIDTH - 1, PLOT_HEIGHT - 1
    cells = [[" "] * PLOT_WIDTH for _ in range(PLOT_HEIGHT)]
    # Lines are drawn from the top, while accuracy rises from the bottom.
    for x in range(PLOT_WIDTH):
        cells[bottom - round(x / right * bottom)][x] = "·"
    for bin_ in bins:
        confidence, accuracy = (min(1.0, max(0.0, float(bin_[name]))) for name in ("confidence", "accuracy"))
        cells[bottom - round(accuracy * bottom)][round(confidence * right)] = "●"
    labels = {0: "1.0", PLOT_HEIGHT // 2: "0.5", bottom: "0.0"}
    title = make_line(("accuracy by confidence; ● on the dotted line means calibrated", "dim"))
    rows = [make_line((f"{labels.get(y, ''):>4}│", "dim"), ("".join(row), "accent")) for y, row in enumerate(cells)]
    axis = make_line((f"    └{'─' * PLOT_WIDTH}", "dim"))
    return [title, *rows, axis, make_line((f"     0{'confidence':^{PLOT_WIDTH - 2}}1", "dim"))]
