"""What a subject expert says of training rows: the queue, the decisions, what they do, and whether experts agree.

No terminal here: the command line and the TUI show what a `Desk` holds, and call it.
"""

from factory.review.agreement import Agreement, Dispute, Pair, agreement
from factory.review.content import Content
from factory.review.decisions import ACCEPT, EDIT, REJECT, SKIP, UNDO, Said, Words, read
from factory.review.desk import Desk, Item, Progress, queue, sample_size
from factory.review.outcome import Outcome, applied, facts, refused, settle

__all__ = [
    "ACCEPT", "EDIT", "REJECT", "SKIP", "UNDO", "Agreement", "Content", "Desk", "Dispute", "Item", "Outcome", "Pair",
    "Progress", "Said", "Words", "agreement", "applied", "facts", "queue", "read", "refused", "sample_size", "settle",
]
