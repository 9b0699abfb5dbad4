"""What several answers to one question come to: the one that most are for, and how divided they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VoteOutcome:
    """The label, the votes for each answer with the most frequent first, and the doubt in words, or nothing."""

    label: str
    votes: dict[str, int]
    doubt: str


def count_votes(answers: Iterable[str], asked: int, agree: float) -> VoteOutcome | None:
    """The outcome of `asked` votes; None when nobody answered. Of two with equal votes the first by name, in doubt.

    A vote that failed is for nothing: two of three are 0.67, however the third was lost.
    """
    ordered = sorted(Counter(answers).items(), key=lambda item: (-item[1], item[0]))
    if not ordered:
        return None
    label, most = ordered[0]
    divided = most < agree * asked or any(count == most for _, count in ordered[1:])
    told = ":".join(str(count) for _, count in ordered)
    lost = asked - sum(count for _, count in ordered)
    doubt = f"votes {told}{f', {lost} failed' if lost else ''}" if divided else ""
    return VoteOutcome(label, dict(ordered), doubt)
