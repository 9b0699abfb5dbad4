"""What specialists said to the same question, beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from factory.tui.rich_text import Line, join_columns, make_line, sanitise, sanitise_lines, wrap_line, wrap_text
from factory.tui.specialist_client import Reply
from factory.tui.specialist_list import SpecialistEntry
from factory.tui.table import Column, Table, make_row
from factory.views import formatting

COLUMNS = (
    Column("", min_width=3),
    Column("specialist", min_width=14, max_width=40),
    Column("verdict", drop_rank=1, min_width=10),
    Column("aliases", drop_rank=2, min_width=6),
    Column("base", drop_rank=3, min_width=10, max_width=40),
)
LEAST = 30
"""Cells below which answers stand under each other."""


def build_choice_table(shelf: Sequence[SpecialistEntry], asked: Sequence[str]) -> Table:
    """Who can be asked; those that are have a mark."""
    from factory.tui import theme

    rows = []
    for one in shelf:
        mark = "[x]" if one.label in asked else "[ ]"
        base = sanitise(one.manifest.get("base", {}).get("id", ""))
        called = sanitise(", ".join(one.aliases))
        cells = (
            make_line((mark, "accent" if one.label in asked else "dim")),
            make_line((sanitise(one.label), "strong")),
            make_line(theme.format_verdict(one.version.verdict)),
            make_line((called, "accent")),
            make_line((base, "dim")),
        )
        rows.append(make_row(one.label, *cells, values=(mark, one.label, one.version.verdict, called, base)))
    return Table(COLUMNS, tuple(rows), "no specialists yet: no run has a bundle in the store")


def render_replies(replies: Mapping[str, Reply], room: int) -> list[Line]:
    """A block for each, in the order in which they were marked."""
    if not replies:
        return [make_line(("type a question above and press enter; space marks specialists", "dim"))]
    across = max(1, min(len(replies), (room + 2) // (LEAST + 2)))
    wide = (room - 2 * (across - 1)) // across
    blocks = [_render_reply(reply, wide) for reply in replies.values()]
    found: list[Line] = []
    for start in range(0, len(blocks), across):
        part = blocks[start : start + across]
        found += [*join_columns(part, [wide] * len(part)), make_line()]
    return found


def _render_reply(reply: Reply, wide: int) -> list[Line]:
    took = formatting.format_seconds(reply.seconds) if reply.is_done else "…"
    head = make_line((sanitise(reply.name), "title"), (f"  {took}", "dim"))
    if reply.error:
        return [head, *wrap_text(sanitise(reply.error), wide, "bad", "✗ ")]
    if reply.answers:
        return [
            head,
            *(each for place, a in enumerate(reply.answers, 1) for each in _render_ranked_answer(place, a, wide)),
        ]
    if not reply.text:
        return [
            head,
            make_line(("loading the model for the first question …" if not reply.is_done else "empty answer", "dim")),
        ]
    said = [each for text in sanitise_lines(reply.text) for each in wrap_line(make_line(text), wide)]
    return [head, *said, *([] if reply.is_done else [make_line(("▌", "run"))])]


def _render_ranked_answer(place: int, answer: Mapping[str, object], wide: int) -> list[Line]:
    score = formatting.format_number(answer.get("score"))
    return wrap_line(
        make_line(
            (f"{place:>2} ", "dim"),
            (f"{score} ", "strong"),
            (f"{sanitise(answer.get('id', ''))} ", "accent"),
            sanitise(answer.get("text", ""), 160),
        ),
        wide,
        9,
    )
