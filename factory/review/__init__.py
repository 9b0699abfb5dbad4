"""What a subject expert says of training rows: the queue, the decisions, what they do, and whether experts agree.

No terminal here: the command line and the TUI show what a `Desk` holds, and call it.
"""

from factory.data.review_decisions import ACCEPT, EDIT, REJECT, SKIP, UNDO, DecisionLog, ReviewDecision, read_decisions
from factory.review.adjudication import (
    ReviewOutcome,
    adjudicate_decisions,
    apply_outcome,
    find_review_refusals,
    summarise_review,
)
from factory.review.agreement import Agreement, Dispute, ReviewerPair, measure_agreement
from factory.review.row_content import RowContent
from factory.review.session import ReviewItem, ReviewProgress, ReviewSession, build_review_queue, compute_sample_size

__all__ = [
    "ACCEPT", "EDIT", "REJECT", "SKIP", "UNDO", "Agreement", "RowContent", "ReviewSession", "Dispute", "ReviewItem",
    "ReviewOutcome", "ReviewerPair",
    "ReviewProgress", "ReviewDecision", "DecisionLog", "measure_agreement", "apply_outcome", "summarise_review",
    "build_review_queue", "read_decisions", "find_review_refusals", "compute_sample_size", "adjudicate_decisions",
]
