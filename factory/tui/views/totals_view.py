"""What was measured over all rows together: totals, tables such as per-class results, calibration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.runs.run_outputs import RunOutputs
from factory.tui.rich_text import Line, make_line, sanitise
from factory.tui.table import Column, Table, make_row, render_table
from factory.views import formatting

CHART = (31, 11)
"""Cells of the calibration plot, across and down."""
MOST = 40
"""Rows of a table that are shown."""


def render_page(evidence: RunOutputs, contender: str, room: int) -> list[Line]:
    """Table after table."""
    found: list[Line] = []
    for title, grid, picture in build_tables(evidence, contender):
        found += [make_line((title, "title")), *picture, *render_table(grid, room, MOST), make_line()]
    return found or [make_line(("no metrics over all rows", "dim"))]


def build_tables(evidence: RunOutputs, contender: str = "tuned") -> Iterator[tuple[str, Table, list[Line]]]:
    """Title, table, and drawing of everything that was measured over all rows: per class, per schema, calibration."""
    found = evidence.read_stage_json("score")
    totals = {c: values for c, values in found.get("totals", {}).items() if values}
    names = list(dict.fromkeys(name for values in totals.values() for name in values))
    if names:
        columns = (
            Column("contender", min_width=10),
            *(
                Column(n.replace("_", " "), align_right=True, drop_rank=place, min_width=6)
                for place, n in enumerate(names)
            ),
        )
        rows = [
            make_row(
                c,
                sanitise(c),
                *(formatting.format_number(v.get(n)) if n in v else "" for n in names),
                values=(c, *(v.get(n) for n in names)),
            )
            for c, v in totals.items()
        ]
        yield "all rows together", Table(columns, tuple(rows)), []
    for name, lines in found.get("tables", {}).get(contender, {}).items():
        if lines:
            drawn = plot_calibration(lines) if {"confidence", "accuracy"} <= set(lines[0]) else []
            yield f"{name.replace('_', ' ')} of {contender}", _build_table(lines), drawn


def _build_table(lines: Sequence[Mapping[str, Any]]) -> Table:
    names = list(dict.fromkeys(key for each in lines for key in each))
    numeric = {n: all(isinstance(each.get(n), int | float) for each in lines) for n in names}
    columns = [
        Column(sanitise(n).replace("_", " "), align_right=numeric[n], drop_rank=place, min_width=5)
        for place, n in enumerate(names)
    ]
    rows = [
        make_row(
            str(i), *(_format_cell(each.get(n)) for n in names), values=[_to_plain_value(each.get(n)) for n in names]
        )
        for i, each in enumerate(lines)
    ]
    return Table(tuple(columns), tuple(rows))


def _format_cell(value: Any) -> str:
    return formatting.format_number(value) if isinstance(value, float) else sanitise("" if value is None else value)


def _to_plain_value(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def plot_calibration(bins: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Accuracy by confidence; the diagonal is perfect calibration (Guo et al. 2017)."""
    wide, tall = CHART
    cells = [[" "] * wide for _ in range(tall)]
    for x in range(wide):
        cells[tall - 1 - round(x / (wide - 1) * (tall - 1))][x] = "·"
    for each in bins:
        right, up = (min(1.0, max(0.0, float(each[name]))) for name in ("confidence", "accuracy"))
        cells[tall - 1 - round(up * (tall - 1))][round(right * (wide - 1))] = "●"
    side = {0: "1.0", tall // 2: "0.5", tall - 1: "0.0"}
    drawn = [make_line((f"{side.get(y, ''):>4}│", "dim"), ("".join(row), "accent")) for y, row in enumerate(cells)]
    foot = make_line((f"    └{'─' * wide}", "dim"))
    scale = make_line((f"     0{'confidence':^{wide - 2}}1", "dim"))
    return [make_line(("accuracy; ● on the dotted line is calibrated", "dim")), *drawn, foot, scale]
