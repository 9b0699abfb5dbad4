"""The Compare screen: two to six contenders side by side, by metric, by spec value and by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.evaluation.compare import LOST, TIED, WON, ContenderComparison, RowResult
from factory.tui import theme
from factory.tui.comparison import LETTERS, Comparison, MetricScore, diff_words
from factory.tui.rich_text import Line, join_columns, make_line, sanitise, sanitise_lines, to_plain_text, wrap_line
from factory.views import formatting
from factory.views.elements import Column, Table, TableRow, make_row

ROW_COLUMNS = (
    Column("", min_width=6),
    Column("row", drop_rank=2, min_width=17, max_width=24),
    Column("group", drop_rank=5, min_width=14, max_width=20),
    Column("A", align_right=True, min_width=5),
    Column("B", align_right=True, min_width=5),
    Column("A − B", align_right=True, min_width=6),
    Column("what it is about", drop_rank=1, min_width=20, max_width=120),
)
RESULT_ORDER = {LOST: 0, WON: 1, TIED: 2}
MAX_INPUT_LINES, LAST_INPUT_LINES = 5, 2
"""An input of more lines is shown below the answers, with only its last lines above them."""
MIN_ANSWER_WIDTH = 26
"""Answers that would get fewer cells than this are shown below each other instead of side by side."""


def render_legend(comparison: Comparison, other: int, width: int) -> list[Line]:
    """Return what each letter stands for, with `▸` at the two sides whose rows are compared."""
    names = [
        make_line((f"{'▸' if i in (0, other) else ' '}{LETTERS[i]} ", "accent"), (sanitise(label), "strong"))
        for i, label in enumerate(comparison.labels)
    ]
    runs = [side.run_outputs.run for side in comparison.sides]
    if len({run.id for run in runs}) == 1:
        spans = (span for name in names for span in (*name, ("  ", "")))
        return wrap_line(make_line(*spans, (f"of {sanitise(runs[0].name)} {runs[0].id}", "dim")), width, 2)
    lines: list[Line] = []
    for name, side in zip(names, comparison.sides, strict=True):
        lines += wrap_line(make_line(*name, (f"  {side.contender} of {side.run_outputs.run.id}", "dim")), width, 4)
    return lines


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
            Column("interval", drop_rank=9 + i, min_width=16),
        ]
    return Table(tuple(columns), tuple(_make_metric_row(comparison, score) for score in scores), "comparing …")


def _make_metric_row(comparison: Comparison, score: MetricScore) -> TableRow:
    name, winner = "", make_line(("= none", "dim"))
    if score.winner is not None:
        name = comparison.labels[score.winner]
        winner = make_line((f"▲ {LETTERS[score.winner]} {sanitise(name)}", "good"))
    arrow = "" if score.higher_is_better else " ↓"
    cells: list[Line | str] = [make_line((sanitise(score.metric), "strong"), (arrow, "dim")), winner]
    cells += [formatting.format_number(mean) for mean in score.means]
    values: list[Any] = [score.metric, name, *score.means]
    for pair in score.comparisons[1:]:
        cells += _format_gain(pair, score.higher_is_better)
        values += [pair.difference, f"{pair.low} to {pair.high}"] if pair else [None, ""]
    return make_row(score.metric, *cells, values=values)


def _format_gain(pair: ContenderComparison | None, higher_is_better: bool) -> list[Line | str]:
    if pair is None:
        return [make_line(("–", "dim")), make_line(("no rows in common", "dim"))]
    sign, tone = "=", "dim"
    if pair.low > 0 or pair.high < 0:
        sign, tone = ("▲", "good") if (pair.difference > 0) == higher_is_better else ("▼", "bad")
    bounds = formatting.format_bounds(pair.low, pair.high)
    return [make_line((f"{sign} {formatting.format_signed(pair.difference)}", tone)), make_line((bounds, "dim"))]


def build_spec_table(comparison: Comparison) -> Table:
    """Return the spec values that differ between the sides, each with the layer it comes from."""
    columns = [Column("field", min_width=12, max_width=40)]
    columns += [Column(LETTERS[i], drop_rank=i, min_width=8, max_width=44) for i in range(len(comparison.sides))]
    rows = []
    for field in comparison.spec_differences:
        origins = [f"  {sanitise(origin)}" if origin else "" for _, origin in field.values]
        cells = [make_line(sanitise(v), (o, "dim")) for (v, _), o in zip(field.values, origins, strict=True)]
        values = (field.path, *(f"{v} ({origin})" for v, origin in field.values))
        rows.append(make_row(field.path, make_line((sanitise(field.path), "strong")), *cells, values=values))
    one_run = len({side.run_outputs.run.id for side in comparison.sides}) == 1
    reason = "all contenders belong to one run, so their spec is the same" if one_run else "the specs are identical"
    return Table(tuple(columns), tuple(rows), reason)


def build_rows_table(comparison: Comparison, pair: ContenderComparison | None, result: str = "") -> Table:
    """Return the rows of one result, or all of them, with the largest losses of A first."""
    if pair is None:
        return Table(ROW_COLUMNS, (), "no rows in common to compare")
    rows = [row for row in pair.rows if not result or row.result == result]
    rows.sort(key=lambda row: (RESULT_ORDER.get(row.result, 3), -abs(row.difference), row.id))
    return Table(ROW_COLUMNS, tuple(_make_result_row(comparison, row) for row in rows), f"no {result} rows")


def _make_result_row(comparison: Comparison, row: RowResult) -> TableRow:
    sign, tone = theme.RESULT_SIGNS[row.result]
    summary = _summarise_row(comparison, row.id)
    cells = (
        make_line((f"{sign} {row.result}", tone)),
        make_line((sanitise(row.id), "dim")),
        "" if row.id.startswith(row.group) else sanitise(row.group),
        formatting.format_number(row.a),
        formatting.format_number(row.b),
        make_line((formatting.format_signed(row.difference), tone)),
        summary,
    )
    return make_row(row.id, *cells, values=(row.result, row.id, row.group, row.a, row.b, row.difference, summary))


def _summarise_row(comparison: Comparison, row_id: str) -> str:
    """Return a row's query, else all its text columns, in one line."""
    viewer = comparison.row_viewer
    row = viewer.rows.get(row_id)
    if row is None:
        return ""
    try:
        query = viewer.task.extract_query(row).get("query") if viewer.task is not None else None
    except Exception:  # an error of a third-party task must not end the screen
        query = None
    texts = [query] if isinstance(query, str) else [v for v in row.columns.values() if isinstance(v, str)]
    return sanitise(" · ".join(texts), 160)


def render_counts(pair: ContenderComparison) -> Line:
    """Return `of 476 rows A won ▲ 374, lost ▼ 51, tied = 51`."""
    left_out = f"; left out: {pair.one_sided_rows} that only one side answered" if pair.one_sided_rows else ""
    return make_line(
        f"of {formatting.format_count(len(pair.rows), 'row')} A won ",
        (f"▲ {pair.count_rows(WON)}", "good"),
        ", lost ",
        (f"▼ {pair.count_rows(LOST)}", "bad"),
        ", tied ",
        (f"= {pair.count_rows(TIED)}", "dim"),
        (left_out, "dim"),
    )


def render_answers(comparison: Comparison, row: str, other: int, width: int) -> list[Line]:
    """Return the answers of all sides to one row, side by side if they fit, with differing words underlined."""
    shared, texts = comparison.split_answers(row)
    given = [line for text in sanitise_lines(shared) for line in wrap_line(make_line(text), width)] if shared else []
    shown = given[-LAST_INPUT_LINES:] if len(given) > MAX_INPUT_LINES else given
    # Columns are two blanks apart, so n of them need n - 1 gaps.
    per_row = max(1, min(len(texts), (width + 2) // (MIN_ANSWER_WIDTH + 2)))
    cells = (width - 2 * (per_row - 1)) // per_row
    blocks = []
    for i, answer in enumerate(_highlight_differences(texts, other)):
        value = comparison.sides[i].scores.get(row, ("", {}))[1].get(comparison.metric)
        score = formatting.format_number(value) if value is not None else "not scored"
        head = make_line((f"{LETTERS[i]} {sanitise(comparison.labels[i])}", "title"), (f"  {score}", "dim"))
        blocks.append([head, *(part for line in answer for part in wrap_line(line, cells))])
    lines = [make_line((sanitise(row), "dim"), ("  …" if shown != given else "", "dim")), *shown]
    for start in range(0, len(blocks), per_row):
        group = blocks[start : start + per_row]
        lines += [make_line(), *join_columns(group, cells)]
    return lines if shown == given else [*lines, make_line(), make_line(("input", "title")), *given]


def _highlight_differences(texts: Sequence[str], other: int) -> list[list[Line]]:
    """Return each text as lines, with the words marked that differ: of A from the other side, of the rest from A."""
    clean = ["\n".join(sanitise_lines(text)) for text in texts]
    answers = []
    for i, text in enumerate(clean):
        rival = clean[other] if i == 0 and other < len(clean) else clean[0]
        tone = "more" if i == 0 else "less"
        pieces, _ = diff_words(text, rival)
        answers.append(_split_lines([(piece, tone if differs and piece.strip() else "") for piece, differs in pieces]))
    return answers


def _split_lines(spans: Sequence[tuple[str, str]]) -> list[Line]:
    """Split spans at their line breaks; a text of blanks only becomes a note."""
    rows: list[list[tuple[str, str]]] = [[]]
    for text, tone in spans:
        first, *rest = text.split("\n")
        rows[-1].append((first, tone))
        rows += [[(part, tone)] for part in rest]
    lines = [make_line(*row) for row in rows]
    return lines if any(to_plain_text(line).strip() for line in lines) else [make_line(("(identical or empty)", "dim"))]


def to_json(comparison: Comparison, other: int) -> dict[str, Any]:
    """Return the comparison as JSON data."""
    pair = comparison.find_pair(0, other)
    return {
        "sides": [side.label for side in comparison.sides],
        "metrics": [
            {
                "metric": s.metric,
                "means": s.means,
                "winner": None if s.winner is None else comparison.labels[s.winner],
                "against_first": [
                    None if p is None else {"difference": p.difference, "low": p.low, "high": p.high}
                    for p in s.comparisons
                ],
            }
            for s in comparison.scores
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
