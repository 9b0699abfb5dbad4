"""The Try screen: the specialists that can be asked, and their replies to one question side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from factory.runs.specialists import SpecialistEntry
from factory.tui import theme
from factory.tui.rich_text import Line, join_columns, make_line, sanitise, sanitise_lines, wrap_line, wrap_text
from factory.tui.specialist_client import Reply
from factory.views import formatting
from factory.views.elements import Column, Table, make_row

COLUMNS = (
    Column("", min_width=3), Column("specialist", min_width=14, max_width=40),
    Column("verdict", drop_rank=1, min_width=10), Column("aliases", drop_rank=2, min_width=6),
    Column("base", drop_rank=3, min_width=10, max_width=40),
)
MIN_REPLY_WIDTH = 30
"""Replies that would get fewer cells than this are shown below each other."""


def build_choice_table(entries: Sequence[SpecialistEntry], marked: Sequence[str]) -> Table:
    """Return the specialists that can be asked, with a mark at those that will be."""
    rows = []
    for entry in entries:
        box, tone = ("[x]", "accent") if entry.label in marked else ("[ ]", "dim")
        base = sanitise(entry.manifest.get("base", {}).get("id", ""))
        aliases = sanitise(", ".join(entry.aliases))
        cells = (
            make_line((box, tone)), make_line((sanitise(entry.label), "strong")),
            make_line(theme.format_verdict(entry.version.verdict)), make_line((aliases, "accent")),
            make_line((base, "dim")),
        )
        rows.append(make_row(entry.label, *cells, values=(box, entry.label, entry.version.verdict, aliases, base)))
    return Table(COLUMNS, tuple(rows), "no specialists yet: no run has a bundle in the store")


def render_replies(replies: Mapping[str, Reply], width: int) -> list[Line]:
    """Return a block per reply, side by side if they fit, in the order in which the specialists were marked."""
    if not replies:
        return [make_line(("type a question above and press enter; space marks specialists", "dim"))]
    per_row = max(1, min(len(replies), (width + 2) // (MIN_REPLY_WIDTH + 2)))
    cells = (width - 2 * (per_row - 1)) // per_row
    blocks = [_render_reply(reply, cells) for reply in replies.values()]
    lines: list[Line] = []
    for start in range(0, len(blocks), per_row):
        group = blocks[start : start + per_row]
        lines += [*join_columns(group, cells), make_line()]
    return lines


def _render_reply(reply: Reply, width: int) -> list[Line]:
    seconds = formatting.format_seconds(reply.seconds) if reply.is_done else "…"
    lines = [make_line((sanitise(reply.name), "title"), (f"  {seconds}", "dim"))]
    if reply.error:
        return [*lines, *wrap_text(sanitise(reply.error), width, "bad", "✗ ")]
    if not reply.answers and not reply.text:
        status = "empty answer" if reply.is_done else "waiting for the answer; the first question loads the model …"
        return [*lines, *wrap_text(status, width, "dim")]
    for rank, answer in enumerate(reply.answers, 1):
        score = (f"{formatting.format_number(answer.get('score'))} ", "strong")
        name, text = (f"{sanitise(answer.get('id', ''))} ", "accent"), sanitise(answer.get("text", ""), 160)
        lines += wrap_line(make_line((f"{rank:>2} ", "dim"), score, name, text), width, 9)
    if reply.answers:
        return lines
    for text in sanitise_lines(reply.text):
        lines += wrap_line(make_line(text), width)
    return lines if reply.is_done else [*lines, make_line(("▌", "run"))]
