"""`factory compare`: two sets of answers to the same rows, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import output, spec_args

if TYPE_CHECKING:
    from factory.evaluation.compare import ContenderComparison, FrozenRowViewer, RowResult

WIDTH = 100


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("more", nargs=-1, metavar="[C ... F]")
@click.option("--metric", default="", help="Another metric than the gate's.")
@click.option("--rows", "limit", default=5, show_default=True, help="Rows to show of each result.")
@spec_args.plugins_option
@output.json_option
def command(
    a: str, b: str, more: Sequence[str], metric: str, limit: int, folders: Sequence[Path], as_json: bool
) -> None:
    """Compare two builds, two specialists or two contenders, row by row.

    A and B are each a run or a specialist (NAME, NAME@VERSION), which stands for its tuned model, or RUN:contender,
    such as latest:bm25. With three to six: metric by metric, field by field, and A against B row by row.
    """
    if more:
        _compare_many([a, b, *more], as_json)
        return
    from factory.evaluation.compare import FrozenRowViewer, compare_contenders, load_contender_pair
    from factory.registry.registry import load_installed_registry
    from factory.store.paths import find_home

    found = compare_contenders(*load_contender_pair(find_home(), a, b), metric)
    shelf = FrozenRowViewer(found.a.run_outputs, load_installed_registry(tuple(folders)))
    if as_json:
        output.print_json(_build_comparison_json(found, shelf))
    else:
        _print_comparison(found, shelf, limit)


def _compare_many(asked: Sequence[str], as_json: bool) -> None:
    """Three to six beside each other, as the terminal interface shows them."""
    import shutil
    import time

    from factory.store.paths import find_home
    from factory.tui.once import once

    told = once(find_home(), "compare", asked, time.time())
    if as_json:
        output.print_json(told.facts)
    else:
        output.print_line(told.text(shutil.get_terminal_size((WIDTH, 24)).columns))


def _build_comparison_json(found: ContenderComparison, shelf: FrozenRowViewer) -> dict[str, Any]:
    from factory.evaluation.compare import LOST, TIED, WON
    from factory.evaluation.slices import compare_slices

    return {
        "a": found.a.label,
        "b": found.b.label,
        "metric": found.metric,
        "n": len(found.rows),
        "mean_a": found.compute_side_mean("a"),
        "mean_b": found.compute_side_mean("b"),
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "confidence": found.confidence,
        "left_out": found.one_sided_rows,
        "slices": [asdict(each) for each in compare_slices(found, shelf)],
        **{name: found.count_rows(name) for name in (WON, LOST, TIED)},
        "rows": [
            {**asdict(row), "shown_a": shelf.show(row.id, found.a), "shown_b": shelf.show(row.id, found.b)}
            for row in found.rows
        ],
    }


def _print_comparison(found: ContenderComparison, shelf: FrozenRowViewer, limit: int) -> None:
    from factory.evaluation.compare import LOST, TIED, WON
    from factory.views import formatting

    interval = f"{formatting.format_percent(found.confidence)} interval {formatting.format_signed(found.low)} to {formatting.format_signed(found.high)}"
    output.print_line(f"A  {found.a.label}  {found.metric} {formatting.format_number(found.compute_side_mean('a'))}")
    output.print_line(f"B  {found.b.label}  {found.metric} {formatting.format_number(found.compute_side_mean('b'))}")
    output.print_line(f"A − B  {formatting.format_signed(found.difference)}, {interval}, on {len(found.rows)} rows")
    output.print_line(f"A won {found.count_rows(WON)}, lost {found.count_rows(LOST)}, tied {found.count_rows(TIED)}")
    if found.one_sided_rows:
        output.print_note(f"{found.one_sided_rows} rows that only one of them answered are left out")
    _print_slices_table(found, shelf)
    for result in (LOST, WON, TIED):
        chosen = found.select_strongest(result, limit)
        if chosen:
            output.print_line(f"\n{output.style_bold(result)}, {len(chosen)} of {found.count_rows(result)}")
            for row in chosen:
                _print_row_comparison(row, found, shelf)


def _print_slices_table(found: ContenderComparison, shelf: FrozenRowViewer) -> None:
    """The parts of the test set, with a word where the difference is outside the noise."""
    from factory.evaluation.slices import compare_slices
    from factory.views.formatting import clean_line, format_number, format_signed

    rows = []
    for each in compare_slices(found, shelf):
        clear = "" if each.p > 1 - found.confidence else "A is better" if each.difference > 0 else "B is better"
        interval = f"{format_signed(each.low)} to {format_signed(each.high)}"
        rows.append([
            clean_line(f"{each.slice}: {each.value}", 48), str(each.n), format_number(each.mean_a), format_number(each.mean_b),
            format_signed(each.difference), interval, clear,
        ])
    if rows:
        output.print_line("\n" + output.format_table(["slice", "rows", "A", "B", "A − B", "interval", ""], rows, right=(1, 2, 3, 4)))


def _print_row_comparison(row: RowResult, found: ContenderComparison, shelf: FrozenRowViewer) -> None:
    from factory.views.formatting import clean_line, format_number

    shared, left, right = shelf.show_side_by_side(row.id, found.a, found.b)
    output.print_line(f"  {output.style_dim(clean_line(row.id))}  {clean_line(shared, 160)}")
    for name, value, said in (("A", row.a, left), ("B", row.b, right)):
        for i, line in enumerate(said.splitlines() or [""]):
            head = f"{name} {format_number(value)}" if i == 0 else ""
            output.print_line(f"    {head:<8} {clean_line(line, 240)}".rstrip())
