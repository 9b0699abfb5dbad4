"""Two to six sets of answers beside each other: metrics, specs, rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.evaluation.compare import LOST, TIED, WON, ContenderComparison, RowResult
from factory.tui import look
from factory.tui.beside import LETTERS, Beside, Score, words_apart
from factory.tui.grid import Column, Grid, record
from factory.tui.lines import Line, beside, line, paragraphs, plain, safe, wrap
from factory.views import formatting

ROWS = (
    Column("", least=6),
    Column("row", rank=2, least=17, most=24),
    Column("group", rank=5, least=14, most=20),
    Column("A", right=True, least=5),
    Column("B", right=True, least=5),
    Column("A − B", right=True, least=6),
    Column("what it is about", rank=1, least=20, most=120),
)
ORDER = {LOST: 0, WON: 1, TIED: 2}
NEAR, LONG = 2, 5
"""Lines of what all were given that stand above the answers when there are more than so many; then all are below."""
SIDE = 26
"""Cells below which answers are put under each other and not beside."""


def legend(found: Beside, other: int, room: int) -> list[Line]:
    """Which letter is whom; the two that rows are told of are marked. All of one run stand on a line."""
    names = [_named(found, place, other) for place in range(len(found.sides))]
    runs = [side.run_outputs.run for side in found.sides]
    if len({run.id for run in runs}) == 1:
        whole = (span for name in names for span in (*name, ("  ", "")))
        return wrap(line(*whole, (f"of {safe(runs[0].name)} {runs[0].id}", "dim")), room, 2)
    told = [
        line(*name, (f"  {side.contender} of {side.run_outputs.run.id}", "dim"))
        for name, side in zip(names, found.sides, strict=True)
    ]
    return [each for one in told for each in wrap(one, room, 4)]


def _named(found: Beside, place: int, other: int) -> Line:
    mark = "▸" if place in (0, other) else " "
    return line((f"{mark}{LETTERS[place]} ", "accent"), (safe(found.labels[place]), "strong"))


def metrics(found: Beside, scores: Sequence[Score]) -> Grid:
    """A line a metric: every side's mean, the gain of A over each, and who wins where the lead is outside the noise.

    `↓` marks a metric of which less is better.
    """
    columns = [Column("metric", least=8, most=20), Column("winner", least=6, most=18)]
    columns += [Column(LETTERS[i], right=True, rank=1 if i > 1 else 0, least=5) for i in range(len(found.sides))]
    for i in range(1, len(found.sides)):
        columns += [
            Column(f"A − {LETTERS[i]}", right=True, rank=1 + i, least=8),
            Column("interval", rank=9 + i, least=16),
        ]
    rows = [_metric(found, score) for score in scores]
    return Grid(tuple(columns), tuple(rows), "comparing …")


def _metric(found: Beside, score: Score) -> Any:
    name = found.labels[score.winner] if score.winner is not None else ""
    who = (
        line((f"▲ {LETTERS[score.winner]} {safe(name)}", "good"))
        if score.winner is not None
        else line(("= none", "dim"))
    )
    mark = "" if score.higher else " ↓"
    cells: list[Line | str] = [line((safe(score.metric), "strong"), (mark, "dim")), who]
    values: list[Any] = [score.metric, name]
    for mean in score.means:
        cells.append(formatting.format_number(mean))
        values.append(mean)
    for pair in score.against[1:]:
        cells += _gain(pair, score.higher)
        values += [pair.difference, f"{pair.low} to {pair.high}"] if pair else [None, ""]
    return record(score.metric, *cells, values=values)


def _gain(pair: ContenderComparison | None, higher: bool) -> list[Line | str]:
    if pair is None:
        return [line(("–", "dim")), line(("no row in common", "dim"))]
    clear, better = pair.low > 0 or pair.high < 0, (pair.difference > 0) == higher
    sign, tone = (("▲", "good") if better else ("▼", "bad")) if clear else ("=", "dim")
    span = f"{formatting.format_signed(pair.low)} to {formatting.format_signed(pair.high)}"
    return [line((f"{sign} {formatting.format_signed(pair.difference)}", tone)), line((span, "dim"))]


def fields(found: Beside) -> Grid:
    """Where the specs differ, and who said so."""
    columns = [Column("field", least=12, most=40)]
    columns += [Column(LETTERS[i], rank=i, least=8, most=44) for i in range(len(found.sides))]
    rows = []
    for each in found.fields:
        cells = [line(safe(value), (f"  {safe(source)}" if source else "", "dim")) for value, source in each.values]
        rows.append(
            record(
                each.path,
                line((safe(each.path), "strong")),
                *cells,
                values=(each.path, *(f"{v} ({s})" for v, s in each.values)),
            )
        )
    one = len({side.run_outputs.run.id for side in found.sides}) == 1
    return Grid(tuple(columns), tuple(rows), "all are of one build: the same spec" if one else "the specs are the same")


def rows(found: Beside, pair: ContenderComparison | None, only: str = "") -> Grid:
    """Row by row, the worst loss of A first."""
    if pair is None:
        return Grid(ROWS, (), "no row in common: nothing to hold against each other row by row")
    kept = [row for row in pair.rows if not only or row.result == only]
    kept.sort(key=lambda row: (ORDER.get(row.result, 3), -abs(row.difference), row.id))
    made = [_row(found, row) for row in kept]
    return Grid(ROWS, tuple(made), f"no row was {only}")


def _row(found: Beside, row: RowResult) -> Any:
    sign, tone = look.RESULTS[row.result]
    about = _about(found, row.id)
    cells = (
        line((f"{sign} {row.result}", tone)),
        line((safe(row.id), "dim")),
        "" if row.id.startswith(row.group) else safe(row.group),
        formatting.format_number(row.a),
        formatting.format_number(row.b),
        line((formatting.format_signed(row.difference), tone)),
        about,
    )
    return record(row.id, *cells, values=(row.result, row.id, row.group, row.a, row.b, row.difference, about))


def _about(found: Beside, row: str) -> str:
    """What was asked, in a line."""
    there = found.shelf.rows.get(row)
    if there is None:
        return ""
    try:
        asked = found.shelf.task.extract_query(there).get("query") if found.shelf.task is not None else None
    except Exception:  # a stranger's task must not end the screen
        asked = None
    texts = [asked] if isinstance(asked, str) else [v for v in there.columns.values() if isinstance(v, str)]
    return safe(" · ".join(texts), 160)


def counts(pair: ContenderComparison) -> Line:
    """`A won 374, lost 51, tied 41`."""
    return line(
        f"of {len(pair.rows)} rows A won ",
        (f"▲ {pair.count_rows(WON)}", "good"),
        ", lost ",
        (f"▼ {pair.count_rows(LOST)}", "bad"),
        ", tied ",
        (f"= {pair.count_rows(TIED)}", "dim"),
        (f"; {pair.one_sided_rows} that only one answered are left out" if pair.one_sided_rows else "", "dim"),
    )


def outputs(found: Beside, row: str, other: int, room: int) -> list[Line]:
    """What every side said to one row, beside each other where there is room; words that differ are underlined."""
    shared, texts = found.said(row)
    whole = [each for text in paragraphs(shared) for each in wrap(line(text), room)] if shared else []
    last = whole[-NEAR:] if len(whole) > LONG else whole
    score = [_score(found, place, row) for place in range(len(texts))]
    marked = _marked(texts, other)
    across = max(1, min(len(texts), (room + 2) // (SIDE + 2)))
    wide = (room - 2 * (across - 1)) // across
    blocks = [
        [
            line((f"{LETTERS[i]} {safe(found.labels[i])}", "title"), (f"  {score[i]}", "dim")),
            *(each for one in marked[i] for each in wrap(one, wide)),
        ]
        for i in range(len(texts))
    ]
    found_lines = [line((safe(row), "dim"), ("  …" if last != whole else "", "dim")), *last]
    for start in range(0, len(blocks), across):
        part = blocks[start : start + across]
        found_lines += [line(), *beside(part, [wide] * len(part))]
    return found_lines if last == whole else [*found_lines, line(), line(("what all were given", "title")), *whole]


def _score(found: Beside, place: int, row: str) -> str:
    values = found.sides[place].scores.get(row, ("", {}))[1]
    value = values.get(found.metric)
    return formatting.format_number(value) if value is not None else "not asked"


def _marked(texts: Sequence[str], other: int) -> list[list[Line]]:
    """Each text as lines: what A alone says, as against the other, and what others say that A does not."""
    lines = []
    for place, text in enumerate(texts):
        rival = texts[other] if place == 0 and other < len(texts) else texts[0]
        mine, _ = words_apart(_clean(text), _clean(rival))
        tone = "more" if place == 0 else "less"
        lines.append(_broken([(part, tone if apart and part.strip() else "") for part, apart in mine]))
    return lines


def _clean(text: str) -> str:
    return "\n".join(paragraphs(text))


def _broken(parts: Sequence[tuple[str, str]]) -> list[Line]:
    """Toned pieces with line breaks in them as lines; a text without a letter says so."""
    lines: list[list[tuple[str, str]]] = [[]]
    for text, tone in parts:
        first, *rest = text.split("\n")
        lines[-1].append((first, tone))
        lines += [[(each, tone)] for each in rest]
    made = [line(*each) for each in lines]
    return made if any(plain(one).strip() for one in made) else [line(("(the same, or nothing)", "dim"))]


def facts(found: Beside, other: int) -> dict[str, Any]:
    """The comparison as data."""
    pair = found.maybe(0, other)
    return {
        "sides": [side.label for side in found.sides],
        "metrics": [
            {
                "metric": s.metric,
                "means": s.means,
                "winner": None if s.winner is None else found.labels[s.winner],
                "against_first": [
                    None if p is None else {"difference": p.difference, "low": p.low, "high": p.high} for p in s.against
                ],
            }
            for s in found.scores
        ],
        "spec": [{"path": f.path, "values": [{"value": v, "from": s} for v, s in f.values]} for f in found.fields],
        "against": found.sides[other].label,
        "rows": [
            {"id": r.id, "group": r.group, "a": r.a, "b": r.b, "result": r.result} for r in (pair.rows if pair else ())
        ],
    }
