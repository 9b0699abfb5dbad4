"""Comparison of contenders: what CLI, TUI and report show of its sides, metrics, specs and rows, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from factory.evaluation.compare import (
    LOST,
    TIED,
    WON,
    ContenderComparison,
    ContenderResults,
    FrozenRowViewer,
    RowResult,
)
from factory.evaluation.comparison import Comparison, MetricScore
from factory.evaluation.slices import compare_slices
from factory.views import formatting
from factory.views.elements import Cell, Column, Table, TableRow, Text, make_row
from factory.views.signs import RESULT_SIGNS, format_result

LETTERS = "ABCDEF"
"""Names of the sides, in their order."""
ROW_COLUMNS = (
    Column("", min_width=6, key="result"),
    Column("row", drop_rank=2, min_width=17, max_width=24),
    Column("group", drop_rank=5, min_width=14, max_width=20),
    Column("A", align_right=True, min_width=5),
    Column("B", align_right=True, min_width=5),
    Column("A − B", align_right=True, min_width=6),
    Column("what it is about", drop_rank=1, min_width=20, max_width=120),
)
RESULT_ORDER = (LOST, WON, TIED)
MAX_SUMMARY_LETTERS = 160


def describe_counts(pair: ContenderComparison, name: str = "A against B") -> tuple[Text, ...]:
    """Return `A against B on 476 rows: ▲ won 374, ▼ lost 51, = tied 51`, and the rows that only one side answered."""
    parts = [Text(f"{name} on {formatting.format_count(len(pair.rows), 'row')}:")]
    for result in (WON, LOST, TIED):
        (sign, tone), comma = RESULT_SIGNS[result], "" if result == TIED else ","
        parts.append(Text(f"{sign} {result} {pair.count_rows(result)}{comma}", tone))
    one_sided = formatting.format_count(pair.one_sided_rows, "row")
    left_out = Text(f"(left out: {one_sided} that only one side answered)" if pair.one_sided_rows else "", "dim")
    return (*parts, left_out)


def describe_difference(pair: ContenderComparison) -> str:
    """Return `A − B +0.048, 95 % interval +0.017 to +0.084`, in the metric of the comparison."""
    share, bounds = formatting.format_percent(pair.confidence), formatting.format_bounds(pair.low, pair.high)
    return f"A − B  {formatting.format_signed(pair.difference)}, {share} interval {bounds}"


def build_metrics_table(comparison: Comparison, scores: Sequence[MetricScore]) -> Table:
    """Return one row per metric: every side's mean, the gain of A over each other side, and the winner if any.

    `↓` marks a metric of which lower values are better.
    """
    letters = LETTERS[: len(comparison.sides)]
    columns = [Column("metric", min_width=8, max_width=20), Column("winner", min_width=6, max_width=18)]
    columns += [Column(letter, align_right=True, drop_rank=int(i > 1), min_width=5) for i, letter in enumerate(letters)]
    for i, letter in enumerate(letters[1:], 1):
        columns += [
            Column(f"A − {letter}", align_right=True, drop_rank=1 + i, min_width=8),
            Column("interval", drop_rank=9 + i, min_width=16, key=f"interval of A − {letter}"),
        ]
    return Table(tuple(columns), tuple(_make_metric_row(comparison, score) for score in scores), "comparing …")


def _make_metric_row(comparison: Comparison, score: MetricScore) -> TableRow:
    name, winner = "", Text("= none", "dim")
    if score.winner is not None:
        name = comparison.labels[score.winner]
        winner = Text(f"▲ {LETTERS[score.winner]} {name}", "good")
    arrow = Text("" if score.higher_is_better else "↓", "dim")
    cells: list[Cell] = [(Text(score.metric, "strong"), arrow), winner, *map(formatting.format_number, score.means)]
    values: list[Any] = [score.metric, name, *score.means]
    for pair in score.comparisons[1:]:
        cells += _make_pair_cells(pair, score.higher_is_better)
        values += [pair.difference, f"{pair.low} to {pair.high}"] if pair else [None, ""]
    return make_row(score.metric, *cells, values=values)


def _make_pair_cells(pair: ContenderComparison | None, higher_is_better: bool) -> list[Cell]:
    if pair is None:
        return [Text("–", "dim"), Text("no rows in common", "dim")]
    sign, tone = "=", "dim"
    if pair.low > 0 or pair.high < 0:
        sign, tone = ("▲", "good") if (pair.difference > 0) == higher_is_better else ("▼", "bad")
    gain = Text(f"{sign} {formatting.format_signed(pair.difference)}", tone)
    return [gain, Text(formatting.format_bounds(pair.low, pair.high), "dim")]


def build_spec_table(comparison: Comparison) -> Table:
    """Return the spec values that differ between the sides, each with the layer it comes from."""
    columns = [Column("field", min_width=12, max_width=40)]
    columns += [Column(LETTERS[i], drop_rank=i, min_width=8, max_width=44) for i in range(len(comparison.sides))]
    rows = [
        make_row(
            field.path, Text(field.path, "strong"),
            *((Text(value), Text(f"({origin})" if origin else "", "dim")) for value, origin in field.values),
        )
        for field in comparison.spec_differences
    ]
    one_run = len({side.run_outputs.run.id for side in comparison.sides}) == 1
    reason = "all contenders belong to one run, so their spec is the same" if one_run else "the specs are identical"
    return Table(tuple(columns), tuple(rows), reason)


def build_rows_table(comparison: Comparison, pair: ContenderComparison | None, result: str = "") -> Table:
    """Return the rows of one result, or all of them, with the largest losses of A first."""
    if pair is None:
        return Table(ROW_COLUMNS, (), "no rows in common to compare")
    results = (result,) if result else RESULT_ORDER
    order = [row for shown in results for row in pair.select_strongest(shown, len(pair.rows))]
    rows = tuple(_make_compared_row(row, _summarise_row(comparison.row_viewer, row.id)) for row in order)
    return Table(ROW_COLUMNS, rows, f"no {result} rows")


def _make_compared_row(row: RowResult, summary: str) -> TableRow:
    group, tone = "" if row.id.startswith(row.group) else row.group, RESULT_SIGNS[row.result].tone
    cells = (
        format_result(row.result), Text(row.id, "dim"), group, formatting.format_number(row.a),
        formatting.format_number(row.b), Text(formatting.format_signed(row.difference), tone), summary,
    )
    return make_row(row.id, *cells, values=(row.result, row.id, row.group, row.a, row.b, row.difference, summary))


def _summarise_row(viewer: FrozenRowViewer, row: str) -> str:
    """Return a row's query, else all its text columns, in one line."""
    query = viewer.extract_question(row).get("query")
    columns = viewer.rows[row].columns.values() if row in viewer.rows else ()
    texts = [query] if isinstance(query, str) else [value for value in columns if isinstance(value, str)]
    return formatting.clean_line(" · ".join(texts), MAX_SUMMARY_LETTERS)


@dataclass(frozen=True, slots=True)
class AnswerView:
    """The answer of one side to a row, with its score."""

    letter: str
    contender: str
    score: str
    text: str


@dataclass(frozen=True, slots=True)
class RowView:
    """A row and the answers of several sides; `given` is what all their texts begin with."""

    id: str
    group: str
    given: str
    answers: tuple[AnswerView, ...]


def build_row_view(viewer: FrozenRowViewer, row: str, sides: Sequence[ContenderResults], metric: str) -> RowView:
    """Return a row with the answer of each side, and its score in a metric."""
    given, texts = viewer.show_side_by_side(row, sides)
    scored = [side.scores.get(row, ("", {})) for side in sides]
    answers = tuple(
        AnswerView(
            letter, side.contender, formatting.format_number(values[metric]) if metric in values else "not scored", text
        )
        for letter, side, (_, values), text in zip(LETTERS, sides, scored, texts, strict=False)
    )
    return RowView(row, scored[0][0], given, answers)


def build_pair_json(pair: ContenderComparison, viewer: FrozenRowViewer) -> dict[str, Any]:
    """Return the comparison of two sides as JSON data, with the text of every row."""
    return {
        "a": pair.a.label, "b": pair.b.label, "metric": pair.metric, "n": len(pair.rows),
        "mean_a": pair.compute_side_mean("a"), "mean_b": pair.compute_side_mean("b"),
        "difference": pair.difference, "low": pair.low, "high": pair.high,
        "confidence": pair.confidence, "left_out": pair.one_sided_rows,
        "slices": [asdict(part) for part in compare_slices(pair, viewer)],
        **{name: pair.count_rows(name) for name in (WON, LOST, TIED)},
        "rows": [
            {**asdict(row), "shown_a": viewer.show(row.id, pair.a), "shown_b": viewer.show(row.id, pair.b)}
            for row in pair.rows
        ],
    }


def build_comparison_json(comparison: Comparison, other: int = 1) -> dict[str, Any]:
    """Return the comparison of all sides as JSON data, with the rows of the first against those of another."""
    pair = comparison.find_pair(0, other)
    return {
        "sides": [side.label for side in comparison.sides],
        "metrics": [
            {
                "metric": score.metric, "means": score.means,
                "winner": None if score.winner is None else comparison.labels[score.winner],
                "against_first": [p and {"difference": p.difference, "low": p.low, "high": p.high}
                                  for p in score.comparisons],
            }
            for score in comparison.scores
        ],
        "spec": [
            {"path": field.path, "values": [{"value": v, "from": origin} for v, origin in field.values]}
            for field in comparison.spec_differences
        ],
        "against": comparison.sides[other].label,
        "rows": [
            {"id": r.id, "group": r.group, "a": r.a, "b": r.b, "result": r.result} for r in (pair.rows if pair else ())
        ],
    }
