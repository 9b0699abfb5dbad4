"""The Review screen: one row of the review queue, a reviewer's progress, and the agreement of all reviewers."""

from __future__ import annotations

from factory.review.session import ReviewItem, ReviewSession, format_editable_value
from factory.tui.rich_text import Line, make_line, sanitise, sanitise_lines, wrap_line, wrap_text
from factory.tui.table import render_cell
from factory.views.elements import draw_share_bar
from factory.views.formatting import format_count
from factory.views.review import DECISION_SIGNS, describe_agreements, describe_progress, list_disputes

BAR_WIDTH = 20
MAX_DISPUTES = 12


def render_heading(session: ReviewSession, width: int) -> list[Line]:
    """Return the reviewer's progress, with a bar."""
    progress, invalid = session.measure_progress(), session.decision_log.torn_lines
    share = progress.decided / progress.total if progress.total else 1.0
    bar = make_line((draw_share_bar(share, BAR_WIDTH), "run"), "  ")
    warning = f"  ! {format_count(invalid, 'invalid line')} in the decision file" if invalid else ""
    return wrap_line(make_line(*bar, *render_cell(describe_progress(session)), (warning, "warn")), width)


def render_row(session: ReviewSession, item: ReviewItem | None, width: int) -> list[Line]:
    """Return a row's input and the answer that training would teach, and the decision on it so far."""
    if item is None:
        hint = make_line(("u undoes the last decision", "dim"))
        return [make_line(("✓ all rows are reviewed", "good")), hint]
    lines: list[Line] = []
    for title, values in (("input", item.inputs), ("answer", item.answer)):
        lines.append(make_line((title, "title")))
        for name, value in values.items():
            head = f"{sanitise(name)}: " if len(values) > 1 else ""
            for i, text in enumerate(sanitise_lines(format_editable_value(value))):
                spans = (("" if i else head, "dim"), (text, "strong" if title == "answer" else ""))
                lines += wrap_line(make_line(*spans), width, 2)
        lines.append(make_line())
    decision = session.find_decision(item)
    if decision:
        lines.append(make_line("your decision: ", DECISION_SIGNS.get(decision.verdict, (decision.verdict, ""))))
    return lines


def render_agreement(session: ReviewSession, width: int) -> list[Line]:
    """Return the agreement of every two reviewers, and the rows on which they differ."""
    agreements, disputes = describe_agreements(session), list_disputes(session)
    if not agreements:
        return wrap_text("only one reviewer so far; agreement is shown once there are two", width, "dim")
    lines = [line for text in agreements for line in wrap_text(sanitise(text), width)]
    for dispute in disputes[:MAX_DISPUTES]:
        lines += wrap_line(render_cell(dispute), width, 2)
    more = len(disputes) - MAX_DISPUTES
    return [*lines, make_line((f"and {more} more", "dim"))] if more > 0 else lines
