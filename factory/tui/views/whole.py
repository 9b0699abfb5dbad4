"""What was measured over all rows together: totals, tables such as per-class results, calibration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.runs.run_outputs import RunOutputs
from factory.tui.grid import Column, Grid, drawn, record
from factory.tui.lines import Line, line, safe
from factory.views import formatting

CHART = (31, 11)
"""Cells of the calibration plot, across and down."""
MOST = 40
"""Rows of a table that are shown."""


def page(evidence: RunOutputs, contender: str, room: int) -> list[Line]:
    """Table after table."""
    found: list[Line] = []
    for title, grid, picture in tables(evidence, contender):
        found += [line((title, "title")), *picture, *drawn(grid, room, MOST), line()]
    return found or [line(("nothing was measured over all rows together", "dim"))]


def tables(evidence: RunOutputs, contender: str = "tuned") -> Iterator[tuple[str, Grid, list[Line]]]:
    """Title, table, and drawing of everything that was measured over all rows: per class, per schema, calibration."""
    found = evidence.read_stage_json("score")
    totals = {c: values for c, values in found.get("totals", {}).items() if values}
    names = list(dict.fromkeys(name for values in totals.values() for name in values))
    if names:
        columns = (
            Column("contender", least=10),
            *(Column(n.replace("_", " "), right=True, rank=place, least=6) for place, n in enumerate(names)),
        )
        rows = [
            record(
                c,
                safe(c),
                *(formatting.format_number(v.get(n)) if n in v else "" for n in names),
                values=(c, *(v.get(n) for n in names)),
            )
            for c, v in totals.items()
        ]
        yield "all rows together", Grid(columns, tuple(rows)), []
    for name, lines in found.get("tables", {}).get(contender, {}).items():
        if lines:
            drawn = calibration(lines) if {"confidence", "accuracy"} <= set(lines[0]) else []
            yield f"{name.replace('_', ' ')} of {contender}", _table(lines), drawn


def _table(lines: Sequence[Mapping[str, Any]]) -> Grid:
    names = list(dict.fromkeys(key for each in lines for key in each))
    numeric = {n: all(isinstance(each.get(n), int | float) for each in lines) for n in names}
    columns = [
        Column(safe(n).replace("_", " "), right=numeric[n], rank=place, least=5) for place, n in enumerate(names)
    ]
    rows = [
        record(str(i), *(_cell(each.get(n)) for n in names), values=[_bare(each.get(n)) for n in names])
        for i, each in enumerate(lines)
    ]
    return Grid(tuple(columns), tuple(rows))


def _cell(value: Any) -> str:
    return formatting.format_number(value) if isinstance(value, float) else safe("" if value is None else value)


def _bare(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def calibration(bins: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Accuracy by confidence; on the diagonal, a confidence is what it says (Guo et al. 2017)."""
    wide, tall = CHART
    cells = [[" "] * wide for _ in range(tall)]
    for x in range(wide):
        cells[tall - 1 - round(x / (wide - 1) * (tall - 1))][x] = "·"
    for each in bins:
        right, up = (min(1.0, max(0.0, float(each[name]))) for name in ("confidence", "accuracy"))
        cells[tall - 1 - round(up * (tall - 1))][round(right * (wide - 1))] = "●"
    side = {0: "1.0", tall // 2: "0.5", tall - 1: "0.0"}
    drawn = [line((f"{side.get(y, ''):>4}│", "dim"), ("".join(row), "accent")) for y, row in enumerate(cells)]
    foot = line((f"    └{'─' * wide}", "dim"))
    scale = line((f"     0{'confidence':^{wide - 2}}1", "dim"))
    return [line(("accuracy; ● on the dotted line says what is so", "dim")), *drawn, foot, scale]
