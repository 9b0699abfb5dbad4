"""One row of the review queue, how far a reviewer is, and whether reviewers agree."""

from __future__ import annotations

from typing import Any

from factory.review.session import ReviewItem, ReviewSession, format_editable_value
from factory.tui import theme
from factory.tui.rich_text import Line, make_line, sanitise, sanitise_lines, wrap_line, wrap_text
from factory.views.formatting import format_number, format_percent

BAR = 20
DISPUTES = 12
DECISION_SIGNS = {
    "accept": ("✓ accept", "good"),
    "reject": ("✗ reject", "bad"),
    "edit": ("✎ edit", "run"),
    "skip": ("→ skip", "warn"),
}


def render_heading(session: ReviewSession, room: int) -> list[Line]:
    """How far this reviewer is."""
    done = session.measure_progress()
    share = done.decided / done.total if done.total else 1.0
    counts = [
        (f"  {DECISION_SIGNS[name][0]} {count}", DECISION_SIGNS[name][1])
        for name, count in done.counts.items()
        if count
    ]
    torn = (
        f"  ! {session.decision_log.torn_lines} invalid lines in the decision file"
        if session.decision_log.torn_lines
        else ""
    )
    return wrap_line(
        make_line(
            (sanitise(session.reviewer), "strong"),
            f"  {done.decided} of {done.total} rows ",
            (theme.render_bar(share, BAR), "run"),
            *counts,
            (torn, "warn"),
        ),
        room,
    )


def render_row(session: ReviewSession, item: ReviewItem | None, room: int) -> list[Line]:
    """What is to be judged: what was given, and the answer that training would teach."""
    if item is None:
        return [
            make_line(("✓ all rows are reviewed", "good")),
            make_line(("u undoes the last decision", "dim")),
        ]
    found: list[Line] = []
    for title, values in (("given", item.inputs), ("answer", item.answer)):
        found.append(make_line((title, "title")))
        for name, value in values.items():
            found += _render_value(name, value, room, "strong" if title == "answer" else "", len(values) > 1)
        found.append(make_line())
    said = session.find_decision(item)
    return [*found, *([make_line("you said ", DECISION_SIGNS.get(said.verdict, (said.verdict, "")))] if said else [])]


def _render_value(name: str, value: Any, room: int, tone: str, named: bool) -> list[Line]:
    head = f"{sanitise(name)}: " if named else ""
    lines = sanitise_lines(format_editable_value(value))
    return [
        each
        for place, one in enumerate(lines)
        for each in wrap_line(make_line((head if place == 0 else "", "dim"), (one, tone)), room, 2)
    ]


def render_agreement(session: ReviewSession, room: int) -> list[Line]:
    """Every two reviewers, and the rows on which they differ."""
    agreed = session.compute_agreement()
    if not agreed.pairs:
        return wrap_text("only one reviewer so far; agreement is shown once there are two", room, "dim")
    found: list[Line] = []
    for pair in agreed.pairs:
        kappa = (
            f"Cohen's κ {format_number(pair.kappa, 2)}"
            if pair.kappa is not None
            else "κ undefined: all decisions are the same"
        )
        share = format_percent(pair.agreed / pair.rows)
        found += wrap_line(
            make_line(
                (f"{sanitise(pair.a)} and {sanitise(pair.b)}", "strong"),
                f": {pair.agreed} of {pair.rows} alike ({share}), {kappa}",
            ),
            room,
            2,
        )
    items = {item.key: item for item in session.items}
    for dispute in agreed.disputes[:DISPUTES]:
        words = ", ".join(f"{sanitise(who)} {word.verdict}" for who, word in sorted(dispute.decisions.items()))
        shown = sanitise(session.show(items[dispute.row]), 160) if dispute.row in items else dispute.row[:12]
        found += wrap_line(make_line((f"≠ {words}  ", "warn"), (shown, "dim")), room, 2)
    more = len(agreed.disputes) - DISPUTES
    return [*found, *([make_line((f"and {more} more", "dim"))] if more > 0 else [])]
