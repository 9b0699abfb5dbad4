"""`factory compare`: paired comparison of the answers of two or more contenders to the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path

import click

from factory.cli import output, spec_args
from factory.evaluation.compare import ContenderComparison
from factory.evaluation.comparison import Comparison, load_comparison
from factory.store.paths import find_home
from factory.views import compare as view
from factory.views.formatting import clean_line, format_number

MAX_LINE_LETTERS = 240


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

    A and B are each a run or a specialist (NAME), meaning its tuned model, or NAME@VERSION, meaning what it delivers,
    or RUN:CONTENDER, such as latest:bm25. Three to six are compared by metric and by field of the spec, and A and B
    also row by row.
    """
    from factory.registry.registry import load_installed_registry

    comparison = load_comparison(find_home(), [a, b, *more], load_installed_registry(folders), metric)
    pair = comparison.compare_pair(0, 1)
    if more:
        list(comparison.score_metrics())  # collects them in `scores`
    if as_json:
        page = view.build_comparison_json(comparison) if more else view.build_pair_json(pair, comparison.row_viewer)
        output.print_json(page)
        return
    for line in _format_comparison(comparison, pair, limit):
        output.print_line(line)


def _format_comparison(comparison: Comparison, pair: ContenderComparison, limit: int) -> Iterator[str]:
    """Yield the sides, the metrics and specs of three or more, and the rows of the first two."""
    from factory.evaluation.slices import compare_slices
    from factory.views.verdict_tables import build_slices_table

    means = [f"  {pair.metric} {format_number(pair.compute_side_mean(side))}" for side in ("a", "b")]
    for letter, side, mean in zip(view.LETTERS, comparison.sides, [*means, *repeat("", 4)], strict=False):
        yield f"{letter}  {side.label}{mean}"
    if comparison.scores:
        yield f"\n{output.format_table(view.build_metrics_table(comparison, comparison.scores))}"
        yield f"\n{output.format_table(view.build_spec_table(comparison))}\n"
    yield view.describe_difference(pair)
    yield output.style_texts(view.describe_counts(pair))
    slices = build_slices_table(compare_slices(pair, comparison.row_viewer), pair.confidence, "A", "B")
    yield from [f"\n{output.format_table(slices)}"] if slices.rows else []
    for result in view.RESULT_ORDER:
        chosen = pair.select_strongest(result, limit)
        if chosen:
            yield f"\n{output.style_bold(result)}, {len(chosen)} of {pair.count_rows(result)}"
        for row in chosen:
            yield from _format_row(view.build_row_view(comparison.row_viewer, row.id, comparison.sides, pair.metric))


def _format_row(row: view.RowView) -> Iterator[str]:
    yield f"  {output.style_dim(clean_line(row.id))}  {clean_line(row.given, view.MAX_SUMMARY_LETTERS)}"
    for answer in row.answers:
        for i, line in enumerate(answer.text.splitlines() or [""]):
            head = "" if i else f"{answer.letter} {answer.score}"
            yield f"    {head:<8} {clean_line(line, MAX_LINE_LETTERS)}".rstrip()
