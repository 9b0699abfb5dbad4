"""Two to six sets of answers beside each other: metrics, specs, rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.evaluation.compare import LOST, TIED, WON, ContenderComparison, RowResult
from factory.tui import theme
from factory.tui.comparison import LETTERS, Comparison, MetricScore, diff_words
from factory.tui.rich_text import Line, join_columns, make_line, sanitise, sanitise_lines, to_plain_text, wrap_line
from factory.tui.table import Column, Table, make_row
from factory.views import formatting

ROWS = (
    Column("", min_width=6),
    Column("row", drop_rank=2, min_width=17, max_width=24),
    Column("group", drop_rank=5, min_width=14, max_width=20),
    Column("A", align_right=True, min_width=5),
    Column("B", align_right=True, min_width=5),
    Column("A − B", align_right=True, min_width=6),
    Column("what it is about", drop_rank=1, min_width=20, max_width=120),
)
ORDER = {LOST: 0, WON: 1, TIED: 2}
NEAR, LONG = 2, 5
"""Lines of input that stand above the answers when there are more than so many; then all are below."""
SIDE = 26
"""Cells below which answers are put under each other and not beside."""


def render_legend(found: Comparison, other: int, room: int) -> list[Line]:
    """Which letter is whom; the two that rows are told of are marked. All of one run stand on a line."""
    names = [_label_side(found, place, other) for place in range(len(found.sides))]
    runs = [side.run_outputs.run for side in found.sides]
    if len({run.id for run in runs}) == 1:
        whole = (span for name in names for span in (*name, ("  ", "")))
        return wrap_line(make_line(*whole, (f"of {sanitise(runs[0].name)} {runs[0].id}", "dim")), room, 2)
    told = [
        make_line(*name, (f"  {side.contender} of {side.run_outputs.run.id}", "dim"))
        for name, side in zip(names, found.sides, strict=True)
    ]
    return [each for one in told for each in wrap_line(one, room, 4)]


def _label_side(found: Comparison, place: int, other: int) -> Line:
    mark = "▸" if place in (0, other) else " "
    return make_line((f"{mark}{LETTERS[place]} ", "accent"), (sanitise(found.labels[place]), "strong"))


def build_metrics_table(found: Comparison, scores: Sequence[MetricScore]) -> Table:
    """A line a metric: every side's mean, the gain of A over each, and who wins where the lead is outside the noise.

    `↓` marks a metric of which less is better.
    """
    columns = [Column("metric", min_width=8, max_width=20), Column("winner", min_width=6, max_width=18)]
    columns += [
        Column(LETTERS[i], align_right=True, drop_rank=1 if i > 1 else 0, min_width=5) for i in range(len(found.sides))
    ]
    for i in range(1, len(found.sides)):
        columns += [
            Column(f"A − {LETTERS[i]}", align_right=True, drop_rank=1 + i, min_width=8),
            Column("interval", drop_rank=9 + i, min_width=16),
        ]
    rows = [_make_metric_row(found, score) for score in scores]
    return Table(tuple(columns), tuple(rows), "comparing …")


def _make_metric_row(found: Comparison, score: MetricScore) -> Any:
    name = found.labels[score.winner] if score.winner is not None else ""
    who = (
        make_line((f"▲ {LETTERS[score.winner]} {sanitise(name)}", "good"))
        if score.winner is not None
        else make_line(("= none", "dim"))
    )
    mark = "" if score.higher_is_better else " ↓"
    cells: list[Line | str] = [make_line((sanitise(score.metric), "strong"), (mark, "dim")), who]
    values: list[Any] = [score.metric, name]
    for mean in score.means:
        cells.append(formatting.format_number(mean))
        values.append(mean)
    for pair in score.comparisons[1:]:
        cells += _format_gain(pair, score.higher_is_better)
        values += [pair.difference, f"{pair.low} to {pair.high}"] if pair else [None, ""]
    return make_row(score.metric, *cells, values=values)


def _format_gain(pair: ContenderComparison | None, higher: bool) -> list[Line | str]:
    if pair is None:
        return [make_line(("–", "dim")), make_line(("no row in common", "dim"))]
    clear, better = pair.low > 0 or pair.high < 0, (pair.difference > 0) == higher
    sign, tone = (("▲", "good") if better else ("▼", "bad")) if clear else ("=", "dim")
    span = f"{formatting.format_signed(pair.low)} to {formatting.format_signed(pair.high)}"
    return [make_line((f"{sign} {formatting.format_signed(pair.difference)}", tone)), make_line((span, "dim"))]


def build_spec_table(found: Comparison) -> Table:
    """Where the specs differ, and who said so."""
    columns = [Column("field", min_width=12, max_width=40)]
    columns += [Column(LETTERS[i], drop_rank=i, min_width=8, max_width=44) for i in range(len(found.sides))]
    rows = []
    for each in found.spec_differences:
        cells = [
            make_line(sanitise(value), (f"  {sanitise(source)}" if source else "", "dim"))
            for value, source in each.values
        ]
        rows.append(
            make_row(
                each.path,
                make_line((sanitise(each.path), "strong")),
                *cells,
                values=(each.path, *(f"{v} ({s})" for v, s in each.values)),
            )
        )
    one = len({side.run_outputs.run.id for side in found.sides}) == 1
    return Table(
        tuple(columns), tuple(rows), "all contenders are of one run: the same spec" if one else "the specs are the same"
    )


def build_rows_table(found: Comparison, pair: ContenderComparison | None, only: str = "") -> Table:
    """Row by row, the worst loss of A first."""
    if pair is None:
        return Table(ROWS, (), "no rows in common to compare")
    kept = [row for row in pair.rows if not only or row.result == only]
    kept.sort(key=lambda row: (ORDER.get(row.result, 3), -abs(row.difference), row.id))
    made = [_make_result_row(found, row) for row in kept]
    return Table(ROWS, tuple(made), f"no row was {only}")


def _make_result_row(found: Comparison, row: RowResult) -> Any:
    sign, tone = theme.RESULT_SIGNS[row.result]
    about = _describe_row(found, row.id)
    cells = (
        make_line((f"{sign} {row.result}", tone)),
        make_line((sanitise(row.id), "dim")),
        "" if row.id.startswith(row.group) else sanitise(row.group),
        formatting.format_number(row.a),
        formatting.format_number(row.b),
        make_line((formatting.format_signed(row.difference), tone)),
        about,
    )
    return make_row(row.id, *cells, values=(row.result, row.id, row.group, row.a, row.b, row.difference, about))


def _describe_row(found: Comparison, row: str) -> str:
    """What was asked, in a line."""
    there = found.row_viewer.rows.get(row)
    if there is None:
        return ""
    try:
        asked = found.row_viewer.task.extract_query(there).get("query") if found.row_viewer.task is not None else None
    except Exception:  # a stranger's task must not end the screen
        asked = None
    texts = [asked] if isinstance(asked, str) else [v for v in there.columns.values() if isinstance(v, str)]
    return sanitise(" · ".join(texts), 160)


def render_counts(pair: ContenderComparison) -> Line:
    """`A won 374, lost 51, tied 41`."""
    return make_line(
        f"of {len(pair.rows)} rows A won ",
        (f"▲ {pair.count_rows(WON)}", "good"),
        ", lost ",
        (f"▼ {pair.count_rows(LOST)}", "bad"),
        ", tied ",
        (f"= {pair.count_rows(TIED)}", "dim"),
        (f"; {pair.one_sided_rows} answered by only one side are left out" if pair.one_sided_rows else "", "dim"),
    )


def render_answers(found: Comparison, row: str, other: int, room: int) -> list[Line]:
    """What every side said to one row, beside each other where there is room; words that differ are underlined."""
    shared, texts = found.split_answers(row)
    whole = [each for text in sanitise_lines(shared) for each in wrap_line(make_line(text), room)] if shared else []
    last = whole[-NEAR:] if len(whole) > LONG else whole
    score = [_format_score(found, place, row) for place in range(len(texts))]
    marked = _highlight_differences(texts, other)
    across = max(1, min(len(texts), (room + 2) // (SIDE + 2)))
    wide = (room - 2 * (across - 1)) // across
    blocks = [
        [
            make_line((f"{LETTERS[i]} {sanitise(found.labels[i])}", "title"), (f"  {score[i]}", "dim")),
            *(each for one in marked[i] for each in wrap_line(one, wide)),
        ]
        for i in range(len(texts))
    ]
    found_lines = [make_line((sanitise(row), "dim"), ("  …" if last != whole else "", "dim")), *last]
    for start in range(0, len(blocks), across):
        part = blocks[start : start + across]
        found_lines += [make_line(), *join_columns(part, [wide] * len(part))]
    return found_lines if last == whole else [*found_lines, make_line(), make_line(("input", "title")), *whole]


def _format_score(found: Comparison, place: int, row: str) -> str:
    values = found.sides[place].scores.get(row, ("", {}))[1]
    value = values.get(found.metric)
    return formatting.format_number(value) if value is not None else "not asked"


def _highlight_differences(texts: Sequence[str], other: int) -> list[list[Line]]:
    """Each text as lines: what A alone says, as against the other, and what others say that A does not."""
    lines = []
    for place, text in enumerate(texts):
        rival = texts[other] if place == 0 and other < len(texts) else texts[0]
        mine, _ = diff_words(_sanitise_text(text), _sanitise_text(rival))
        tone = "more" if place == 0 else "less"
        lines.append(_split_lines([(part, tone if apart and part.strip() else "") for part, apart in mine]))
    return lines


def _sanitise_text(text: str) -> str:
    return "\n".join(sanitise_lines(text))


def _split_lines(parts: Sequence[tuple[str, str]]) -> list[Line]:
    """Toned pieces with line breaks in them as lines; a text without a letter says so."""
    lines: list[list[tuple[str, str]]] = [[]]
    for text, tone in parts:
        first, *rest = text.split("\n")
        lines[-1].append((first, tone))
        lines += [[(each, tone)] for each in rest]
    made = [make_line(*each) for each in lines]
    return made if any(to_plain_text(one).strip() for one in made) else [make_line(("(the same, or nothing)", "dim"))]


def to_json(found: Comparison, other: int) -> dict[str, Any]:
    """The comparison as data."""
    pair = found.find_pair(0, other)
    return {
        "sides": [side.label for side in found.sides],
        "metrics": [
            {
                "metric": s.metric,
                "means": s.means,
                "winner": None if s.winner is None else found.labels[s.winner],
                "against_first": [
                    None if p is None else {"difference": p.difference, "low": p.low, "high": p.high}
                    for p in s.comparisons
                ],
            }
            for s in found.scores
        ],
        "spec": [
            {"path": f.path, "values": [{"value": v, "from": s} for v, s in f.values]} for f in found.spec_differences
        ],
        "against": found.sides[other].label,
        "rows": [
            {"id": r.id, "group": r.group, "a": r.a, "b": r.b, "result": r.result} for r in (pair.rows if pair else ())
        ],
    }
