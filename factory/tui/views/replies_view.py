"""The Try screen: the replies of specialists to one question, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from factory.tui.rich_text import Line, join_blocks, make_line, sanitise, sanitise_lines, wrap_line, wrap_text
from factory.tui.specialist_client import Reply
from factory.views import formatting

MIN_REPLY_WIDTH = 30
"""Replies that would get fewer cells than this are shown below each other."""


def render_replies(replies: Mapping[str, Reply], width: int) -> list[Line]:
    """Return a block per reply, side by side if they fit, in the order in which the specialists were marked."""
    if not replies:
        return [make_line(("type a question above and press enter; space marks specialists", "dim"))]
    blocks = [partial(_render_reply, reply) for reply in replies.values()]
    return join_blocks(blocks, width, MIN_REPLY_WIDTH)[1:]


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
