"""What specialists said to the same question, beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from factory.tui.asking import Reply
from factory.tui.grid import Column, Grid, record
from factory.tui.lines import Line, beside, line, paragraphs, safe, wrap, wrapped
from factory.tui.shelf import Kept
from factory.views import formatting

COLUMNS = (
    Column("", least=3),
    Column("specialist", least=14, most=40),
    Column("verdict", rank=1, least=10),
    Column("aliases", rank=2, least=6),
    Column("base", rank=3, least=10, most=40),
)
LEAST = 30
"""Cells below which answers stand under each other."""


def specialists(shelf: Sequence[Kept], asked: Sequence[str]) -> Grid:
    """Who can be asked; those that are have a mark."""
    from factory.tui import look

    rows = []
    for one in shelf:
        mark = "[x]" if one.label in asked else "[ ]"
        base = safe(one.manifest.get("base", {}).get("id", ""))
        called = safe(", ".join(one.aliases))
        cells = (
            line((mark, "accent" if one.label in asked else "dim")),
            line((safe(one.label), "strong")),
            line(look.verdict(one.version.verdict)),
            line((called, "accent")),
            line((base, "dim")),
        )
        rows.append(record(one.label, *cells, values=(mark, one.label, one.version.verdict, called, base)))
    return Grid(COLUMNS, tuple(rows), "no specialist can be asked yet: none of the runs left a bundle")


def answers(replies: Mapping[str, Reply], room: int) -> list[Line]:
    """A block for each, in the order in which they were marked."""
    if not replies:
        return [line(("type a question above and press enter; space marks whom to ask", "dim"))]
    across = max(1, min(len(replies), (room + 2) // (LEAST + 2)))
    wide = (room - 2 * (across - 1)) // across
    blocks = [_block(reply, wide) for reply in replies.values()]
    found: list[Line] = []
    for start in range(0, len(blocks), across):
        part = blocks[start : start + across]
        found += [*beside(part, [wide] * len(part)), line()]
    return found


def _block(reply: Reply, wide: int) -> list[Line]:
    took = formatting.format_seconds(reply.seconds) if reply.done else "…"
    head = line((safe(reply.name), "title"), (f"  {took}", "dim"))
    if reply.failed:
        return [head, *wrapped(safe(reply.failed), wide, "bad", "✗ ")]
    if reply.answers:
        return [head, *(each for place, a in enumerate(reply.answers, 1) for each in _ranked(place, a, wide))]
    if not reply.text:
        return [
            head,
            line(("thinking: the first question loads the model" if not reply.done else "said nothing", "dim")),
        ]
    said = [each for text in paragraphs(reply.text) for each in wrap(line(text), wide)]
    return [head, *said, *([] if reply.done else [line(("▌", "run"))])]


def _ranked(place: int, answer: Mapping[str, object], wide: int) -> list[Line]:
    score = formatting.format_number(answer.get("score"))
    return wrap(
        line(
            (f"{place:>2} ", "dim"),
            (f"{score} ", "strong"),
            (f"{safe(answer.get('id', ''))} ", "accent"),
            safe(answer.get("text", ""), 160),
        ),
        wide,
        9,
    )
