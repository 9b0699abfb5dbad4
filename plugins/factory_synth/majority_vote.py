"""Majority vote over several answers to one question, with the doubt if they disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VoteOutcome:
    """The winning label, the votes per answer in descending order, and the doubt (empty for none)."""

    label: str
    votes: dict[str, int]
    doubt: str


def count_votes(answers: Iterable[str], expected: int, min_agreement: float) -> VoteOutcome | None:
    """Count the votes; None without an answer. A tie goes to the first label by name, with a doubt.

    A failed vote counts for no label: two of three are 0.67, however the third was lost.
    """
    ordered = sorted(Counter(answers).items(), key=lambda item: (-item[1], item[0]))
    if not ordered:
        return None
    label, votes = ordered[0]
    is_divided = votes < min_agreement * expected or any(count == votes for _, count in ordered[1:])
    counts = ":".join(str(count) for _, count in ordered)
    failed = expected - sum(count for _, count in ordered)
    doubt = f"votes {counts}{f', {failed} failed' if failed else ''}" if is_divided else ""
    return VoteOutcome(label, dict(ordered), doubt)
