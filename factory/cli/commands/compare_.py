"""`factory compare`: two sets of answers to the same rows, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import load, out

if TYPE_CHECKING:
    from factory.compare import ContenderComparison, RowResult, FrozenRowViewer

WIDTH = 100


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("more", nargs=-1, metavar="[C ... F]")
@click.option("--metric", default="", help="Another metric than the gate's.")
@click.option("--rows", "limit", default=5, show_default=True, help="Rows to show of each result.")
@load.plugins_option
@out.json_option
def command(
    a: str, b: str, more: Sequence[str], metric: str, limit: int, folders: Sequence[Path], as_json: bool
) -> None:
    """Compare two builds, two specialists or two contenders, row by row.

    A and B are each a run or a specialist (NAME, NAME@VERSION), which stands for its tuned model, or RUN:contender,
    such as latest:bm25. With three to six: metric by metric, field by field, and A against B row by row.
    """
    if more:
        _many([a, b, *more], as_json)
        return
    from factory.compare import FrozenRowViewer, compare_contenders, load_contender_pair
    from factory.home import find_home
    from factory.plugins import load_installed_registry

    found = compare_contenders(*load_contender_pair(find_home(), a, b), metric)
    shelf = FrozenRowViewer(found.a.run_outputs, load_installed_registry(tuple(folders)))
    if as_json:
        out.emit(_data(found, shelf))
    else:
        _show(found, shelf, limit)


def _many(asked: Sequence[str], as_json: bool) -> None:
    """Three to six beside each other, as the terminal interface shows them."""
    import shutil
    import time

    from factory.home import find_home
    from factory.tui.once import once

    told = once(find_home(), "compare", asked, time.time())
    if as_json:
        out.emit(told.facts)
    else:
        out.say(told.text(shutil.get_terminal_size((WIDTH, 24)).columns))


def _data(found: ContenderComparison, shelf: FrozenRowViewer) -> dict[str, Any]:
    from factory.compare import LOST, TIED, WON
    from factory.slices import compare_slices

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


def _show(found: ContenderComparison, shelf: FrozenRowViewer, limit: int) -> None:
    from factory.compare import LOST, TIED, WON
    from factory.report import words

    interval = f"{words.percent(found.confidence)} interval {words.signed(found.low)} to {words.signed(found.high)}"
    out.say(f"A  {found.a.label}  {found.metric} {words.number(found.compute_side_mean('a'))}")
    out.say(f"B  {found.b.label}  {found.metric} {words.number(found.compute_side_mean('b'))}")
    out.say(f"A − B  {words.signed(found.difference)}, {interval}, on {len(found.rows)} rows")
    out.say(f"A won {found.count_rows(WON)}, lost {found.count_rows(LOST)}, tied {found.count_rows(TIED)}")
    if found.one_sided_rows:
        out.note(f"{found.one_sided_rows} rows that only one of them answered are left out")
    _slices(found, shelf)
    for result in (LOST, WON, TIED):
        chosen = found.select_strongest(result, limit)
        if chosen:
            out.say(f"\n{out.strong(result)}, {len(chosen)} of {found.count_rows(result)}")
            for row in chosen:
                _row(row, found, shelf)


def _slices(found: ContenderComparison, shelf: FrozenRowViewer) -> None:
    """The parts of the test set, with a word where the difference is outside the noise."""
    from factory.report.words import clean, number, signed
    from factory.slices import compare_slices

    rows = []
    for each in compare_slices(found, shelf):
        clear = "" if each.p > 1 - found.confidence else "A is better" if each.difference > 0 else "B is better"
        interval = f"{signed(each.low)} to {signed(each.high)}"
        rows.append([
            clean(f"{each.slice}: {each.value}", 48), str(each.n), number(each.mean_a), number(each.mean_b),
            signed(each.difference), interval, clear,
        ])
    if rows:
        out.say("\n" + out.table(["slice", "rows", "A", "B", "A − B", "interval", ""], rows, right=(1, 2, 3, 4)))


def _row(row: RowResult, found: ContenderComparison, shelf: FrozenRowViewer) -> None:
    from factory.report.words import clean, number

    shared, left, right = shelf.show_side_by_side(row.id, found.a, found.b)
    out.say(f"  {out.dim(clean(row.id))}  {clean(shared, 160)}")
    for name, value, said in (("A", row.a, left), ("B", row.b, right)):
        for i, line in enumerate(said.splitlines() or [""]):
            head = f"{name} {number(value)}" if i == 0 else ""
            out.say(f"    {head:<8} {clean(line, 240)}".rstrip())
