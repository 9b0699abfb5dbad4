"""`factory compare`: paired comparison of the answers of two or more contenders to the same rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from factory.cli import output, spec_args
from factory.evaluation.compare import (
    LOST,
    TIED,
    WON,
    ContenderComparison,
    FrozenRowViewer,
    RowResult,
    compare_contenders,
    load_contender_pair,
)
from factory.store.paths import find_home
from factory.views.formatting import (
    clean_line,
    format_bounds,
    format_count,
    format_number,
    format_percent,
    format_signed,
)


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("more", nargs=-1, metavar="[C ... F]")
@click.option("--metric", default="", help="Metric to compare; defaults to that of the gate.")
@click.option("--rows", "limit", default=5, show_default=True, help="Rows to show per result (won, lost, tied).")
@spec_args.plugins_option
@output.json_option
def command(
    a: str, b: str, more: Sequence[str], metric: str, limit: int, folders: tuple[Path, ...], as_json: bool
) -> None:
    """Compare two builds, specialists or contenders (baselines or candidates), row by row.

    A and B are each a run or a specialist (NAME, NAME@VERSION), meaning its tuned model, or RUN:CONTENDER, such as
    latest:bm25. Three to six are compared by metric and by field of the spec, and A and B also row by row.
    """
    if more:  # side by side, as the terminal interface shows them
        from factory.tui.snapshot import take_snapshot

        output.print_snapshot(take_snapshot(find_home(), "compare", [a, b, *more], time.time()), as_json)
        return
    from factory.registry.registry import load_installed_registry

    comparison = compare_contenders(*load_contender_pair(find_home(), a, b), metric)
    viewer = FrozenRowViewer(comparison.a.run_outputs, load_installed_registry(folders))
    if as_json:
        output.print_json(_build_comparison_json(comparison, viewer))
    else:
        _print_comparison(comparison, viewer, limit)


def _build_comparison_json(comparison: ContenderComparison, viewer: FrozenRowViewer) -> dict[str, Any]:
    from factory.evaluation.slices import compare_slices

    return {
        "a": comparison.a.label, "b": comparison.b.label, "metric": comparison.metric, "n": len(comparison.rows),
        "mean_a": comparison.compute_side_mean("a"), "mean_b": comparison.compute_side_mean("b"),
        "difference": comparison.difference, "low": comparison.low, "high": comparison.high,
        "confidence": comparison.confidence, "left_out": comparison.one_sided_rows,
        "slices": [asdict(part) for part in compare_slices(comparison, viewer)],
        **{name: comparison.count_rows(name) for name in (WON, LOST, TIED)},
        "rows": [
            {**asdict(row), "shown_a": viewer.show(row.id, comparison.a), "shown_b": viewer.show(row.id, comparison.b)}
            for row in comparison.rows
        ],
    }


def _print_comparison(comparison: ContenderComparison, viewer: FrozenRowViewer, limit: int) -> None:
    from factory.evaluation.slices import compare_slices
    from factory.views.verdict_tables import build_slices_table

    for name, side in (("a", comparison.a), ("b", comparison.b)):
        mean = format_number(comparison.compute_side_mean(name))
        output.print_line(f"{name.upper()}  {side.label}  {comparison.metric} {mean}")
    bounds = format_bounds(comparison.low, comparison.high)
    difference, rows = format_signed(comparison.difference), format_count(len(comparison.rows), "row")
    output.print_line(f"A − B  {difference}, {format_percent(comparison.confidence)} interval {bounds}, on {rows}")
    won, lost, tied = (comparison.count_rows(result) for result in (WON, LOST, TIED))
    output.print_line(f"A won {won}, lost {lost}, tied {tied}")
    if comparison.one_sided_rows:
        output.print_note(f"skipped {format_count(comparison.one_sided_rows, 'row')} that only one side answered")
    slices = build_slices_table(compare_slices(comparison, viewer), comparison.confidence, "A", "B")
    if slices.rows:
        output.print_line("\n" + output.format_view_table(slices))
    for result in (LOST, WON, TIED):
        chosen = comparison.select_strongest(result, limit)
        if chosen:
            output.print_line(f"\n{output.style_bold(result)}, {len(chosen)} of {comparison.count_rows(result)}")
            for row in chosen:
                _print_row_comparison(row, comparison, viewer)


def _print_row_comparison(row: RowResult, comparison: ContenderComparison, viewer: FrozenRowViewer) -> None:
    shared, left, right = viewer.show_side_by_side(row.id, comparison.a, comparison.b)
    output.print_line(f"  {output.style_dim(clean_line(row.id))}  {clean_line(shared, 160)}")
    for name, value, answer in (("A", row.a, left), ("B", row.b, right)):
        for i, line in enumerate(answer.splitlines() or [""]):
            head = f"{name} {format_number(value)}" if i == 0 else ""
            output.print_line(f"    {head:<8} {clean_line(line, 240)}".rstrip())
