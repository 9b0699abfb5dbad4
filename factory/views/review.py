"""Expert review of training rows: a reviewer's progress, and where reviewers agree, for CLI and TUI."""

from __future__ import annotations

from factory.review.session import ReviewSession
from factory.views.elements import Text
from factory.views.formatting import clean_line, format_count, format_number, format_percent

DECISION_SIGNS = {
    "accept": Text("✓ accept", "good"), "reject": Text("✗ reject", "bad"), "edit": Text("✎ edit", "run"),
    "skip": Text("→ skip", "warn"),
}
MAX_DISPUTE_LETTERS = 120


def describe_progress(session: ReviewSession) -> tuple[Text, ...]:
    """Return a reviewer's name, progress and number of decisions of each kind."""
    progress = session.measure_progress()
    decided = Text(f"{progress.decided} of {format_count(progress.total, 'row')}")
    counts = [
        Text(f"{DECISION_SIGNS[name].text} {count}", DECISION_SIGNS[name].tone)
        for name, count in progress.counts.items() if count
    ]
    return Text(session.reviewer, "strong"), decided, *counts


def describe_agreements(session: ReviewSession) -> list[str]:
    """Return the agreement of every two reviewers on the rows that both decided."""
    lines = []
    for pair in session.compute_agreement().pairs:
        kappa = "undefined: all decisions are the same" if pair.kappa is None else format_number(pair.kappa, 2)
        shared, share = format_count(pair.rows, "row"), format_percent(pair.agreed / pair.rows)
        lines.append(f"{pair.a} and {pair.b} agree on {pair.agreed} of {shared} ({share}), Cohen's κ {kappa}")
    return lines


def list_disputes(session: ReviewSession) -> list[tuple[Text, Text]]:
    """Return the decisions on each row on which reviewers differ, and the row; only its key if it is not shown here."""
    items = {item.key: item for item in session.items}
    disputes = []
    for dispute in session.compute_agreement().disputes:
        decisions = ", ".join(f"{who} {decision.verdict}" for who, decision in sorted(dispute.decisions.items()))
        item = items.get(dispute.row)
        row = clean_line(session.show(item), MAX_DISPUTE_LETTERS) if item else dispute.row[:12]
        disputes.append((Text(f"≠ {decisions}:", "warn"), Text(row, "dim")))
    return disputes
