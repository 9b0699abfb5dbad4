"""One row of the review queue, how far a reviewer is, and whether reviewers agree."""

from __future__ import annotations

from typing import Any

from factory.review.session import ReviewItem, ReviewSession, format_editable_value
from factory.tui import look
from factory.tui.lines import Line, line, paragraphs, safe, wrap, wrapped
from factory.views.formatting import format_number, format_percent

BAR = 20
DISPUTES = 12
SAID = {
    "accept": ("✓ accept", "good"),
    "reject": ("✗ reject", "bad"),
    "edit": ("✎ edit", "run"),
    "skip": ("→ skip", "warn"),
}


def heading(desk: ReviewSession, room: int) -> list[Line]:
    """How far this reviewer is."""
    done = desk.measure_progress()
    share = done.decided / done.total if done.total else 1.0
    counts = [(f"  {SAID[name][0]} {count}", SAID[name][1]) for name, count in done.counts.items() if count]
    torn = f"  ! {desk.decision_log.torn_lines} lines of the file are no decision" if desk.decision_log.torn_lines else ""
    return wrap(
        line(
            (safe(desk.reviewer), "strong"),
            f"  {done.decided} of {done.total} rows ",
            (look.bar(share, BAR), "run"),
            *counts,
            (torn, "warn"),
        ),
        room,
    )


def row(desk: ReviewSession, item: ReviewItem | None, room: int) -> list[Line]:
    """What is to be judged: what was given, and the answer that training would teach."""
    if item is None:
        return [
            line(("✓ nothing waits: every row that is asked was decided", "good")),
            line(("u takes the last word back", "dim")),
        ]
    found: list[Line] = []
    for title, values in (("given", item.inputs), ("answer", item.answer)):
        found.append(line((title, "title")))
        for name, value in values.items():
            found += _value(name, value, room, "strong" if title == "answer" else "", len(values) > 1)
        found.append(line())
    said = desk.find_decision(item)
    return [*found, *([line("you said ", SAID.get(said.verdict, (said.verdict, "")))] if said else [])]


def _value(name: str, value: Any, room: int, tone: str, named: bool) -> list[Line]:
    head = f"{safe(name)}: " if named else ""
    lines = paragraphs(format_editable_value(value))
    return [
        each
        for place, one in enumerate(lines)
        for each in wrap(line((head if place == 0 else "", "dim"), (one, tone)), room, 2)
    ]


def agreement(desk: ReviewSession, room: int) -> list[Line]:
    """Every two reviewers, and the rows on which they differ."""
    agreed = desk.compute_agreement()
    if not agreed.pairs:
        return wrapped("one reviewer alone so far; with a second one, their agreement stands here", room, "dim")
    found: list[Line] = []
    for pair in agreed.pairs:
        kappa = f"Cohen's κ {format_number(pair.kappa, 2)}" if pair.kappa is not None else "κ not told: always the same word"
        share = format_percent(pair.agreed / pair.rows)
        found += wrap(
            line(
                (f"{safe(pair.a)} and {safe(pair.b)}", "strong"),
                f": {pair.agreed} of {pair.rows} alike ({share}), {kappa}",
            ),
            room,
            2,
        )
    items = {item.key: item for item in desk.items}
    for dispute in agreed.disputes[:DISPUTES]:
        words = ", ".join(f"{safe(who)} {word.verdict}" for who, word in sorted(dispute.decisions.items()))
        shown = safe(desk.show(items[dispute.row]), 160) if dispute.row in items else dispute.row[:12]
        found += wrap(line((f"≠ {words}  ", "warn"), (shown, "dim")), room, 2)
    more = len(agreed.disputes) - DISPUTES
    return [*found, *([line((f"and {more} more", "dim"))] if more > 0 else [])]
