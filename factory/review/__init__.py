"""Expert review of training rows: the queue, the decisions, their outcomes, and the agreement of reviewers.

Independent of the interface: the command line and the TUI show and call a `ReviewSession`.
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
    "ACCEPT", "EDIT", "REJECT", "SKIP", "UNDO", "Agreement", "DecisionLog", "Dispute", "ReviewDecision", "ReviewItem",
    "ReviewOutcome", "ReviewProgress", "ReviewSession", "ReviewerPair", "RowContent", "adjudicate_decisions",
    "apply_outcome", "build_review_queue", "compute_sample_size", "find_review_refusals", "measure_agreement",
    "read_decisions", "summarise_review",
]
