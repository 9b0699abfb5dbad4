"""What a subject expert says of training rows: the queue, the decisions, what they do, and whether experts agree.

No terminal here: the command line and the TUI show what a `Desk` holds, and call it.
"""

from factory.review.agreement import Agreement, Dispute, ReviewerPair, measure_agreement
from factory.review.content import RowContent
from factory.review.decisions import ACCEPT, EDIT, REJECT, SKIP, UNDO, ReviewDecision, DecisionLog, read_decisions
from factory.review.desk import ReviewSession, ReviewItem, ReviewProgress, build_review_queue, compute_sample_size
from factory.review.outcome import ReviewOutcome, apply_outcome, summarise_review, find_review_refusals, adjudicate_decisions

__all__ = [
    "ACCEPT", "EDIT", "REJECT", "SKIP", "UNDO", "Agreement", "RowContent", "ReviewSession", "Dispute", "ReviewItem", "ReviewOutcome", "ReviewerPair",
    "ReviewProgress", "ReviewDecision", "DecisionLog", "measure_agreement", "apply_outcome", "summarise_review", "build_review_queue", "read_decisions", "find_review_refusals", "compute_sample_size", "adjudicate_decisions",
]
