"""The Review screen: one row of the review queue, a reviewer's progress, and the agreement of all reviewers."""

from __future__ import annotations

from factory.review.session import ReviewItem, ReviewSession, format_editable_value
from factory.tui.rich_text import Line, make_line, sanitise, sanitise_lines, wrap_line, wrap_text
from factory.views.elements import draw_share_bar
from factory.views.formatting import format_count, format_number, format_percent

BAR_WIDTH = 20
MAX_DISPUTES = 12
DECISION_SIGNS = {
    "accept": ("✓ accept", "good"), "reject": ("✗ reject", "bad"), "edit": ("✎ edit", "run"),
    "skip": ("→ skip", "warn"),
}


def render_heading(session: ReviewSession, width: int) -> list[Line]:
    """Return the reviewer's name, progress and number of decisions of each kind."""
    progress, invalid = session.measure_progress(), session.decision_log.torn_lines
    share = progress.decided / progress.total if progress.total else 1.0
    signs = {name: DECISION_SIGNS[name] for name, count in progress.counts.items() if count}
    counts = [(f"  {sign} {progress.counts[name]}", tone) for name, (sign, tone) in signs.items()]
    warning = f"  ! {format_count(invalid, 'invalid line')} in the decision file" if invalid else ""
    parts = ((sanitise(session.reviewer), "strong"), f"  {progress.decided} of {progress.total} rows ")
    return wrap_line(make_line(*parts, (draw_share_bar(share, BAR_WIDTH), "run"), *counts, (warning, "warn")), width)


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
    agreement = session.compute_agreement()
    if not agreement.pairs:
        return wrap_text("only one reviewer so far; agreement is shown once there are two", width, "dim")
    lines: list[Line] = []
    for pair in agreement.pairs:
        kappa = "κ undefined: all decisions are the same"
        if pair.kappa is not None:
            kappa = f"Cohen's κ {format_number(pair.kappa, 2)}"
        share = format_percent(pair.agreed / pair.rows)
        names = (f"{sanitise(pair.a)} and {sanitise(pair.b)}", "strong")
        counts = f" agree on {pair.agreed} of {pair.rows} rows ({share}), {kappa}"
        lines += wrap_line(make_line(names, counts), width, 2)
    items = {item.key: item for item in session.items}
    for dispute in agreement.disputes[:MAX_DISPUTES]:
        decisions = ", ".join(f"{sanitise(who)} {d.verdict}" for who, d in sorted(dispute.decisions.items()))
        text = sanitise(session.show(items[dispute.row]), 160) if dispute.row in items else dispute.row[:12]
        lines += wrap_line(make_line((f"≠ {decisions}  ", "warn"), (text, "dim")), width, 2)
    more = len(agreement.disputes) - MAX_DISPUTES
    return [*lines, make_line((f"and {more} more", "dim"))] if more > 0 else lines
