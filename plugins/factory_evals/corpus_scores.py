"""Scores of sacrebleu over all rows, from the n-gram counts of each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def list_corpus_counts(metric: Any, answers: Sequence[str], references: Sequence[str]) -> Any:
    """Return the n-gram counts of each pair of texts, which sacrebleu adds up: (texts, counts)."""
    return metric._extract_corpus_statistics(answers, [references])


def compute_corpus_scores(metric: Any, sums: Any) -> list[float]:
    """Return sacrebleu's score of each line of summed counts, 0 to 100."""
    return [metric._compute_score_from_stats(line).score for line in sums.round().astype(int).tolist()]
