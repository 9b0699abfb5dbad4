"""ROUGE: overlap with the right answer in words, pairs of words, and their longest common subsequence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from factory.api import Eval, Metric, ScoreJob, Scores
from factory_evals.text_answers import iterate_text_pairs

WORD_PATTERN = re.compile(r"[^\W_]+")


class Rouge(Eval):
    """F1 of ROUGE-1, ROUGE-2 and ROUGE-L with the right answer (Lin 2004), as by the package rouge-score without stems.

    Words are runs of letters and digits in lower case. Unlike there, letters beside a to z are letters, so that texts
    in any script with spaces between words can be scored; an English text has the same numbers. ROUGE-L decides: the
    order of words counts, gaps do not.
    """

    kind = "rouge"
    output_type = "text"
    primary_metric = "rouge_l"
    metrics = (
        Metric("rouge_l", "F1 of the longest common subsequence of words with the right answer"),
        Metric("rouge_1", "F1 of the words shared with the right answer"),
        Metric("rouge_2", "F1 of the pairs of adjacent words shared with the right answer"),
    )
    uses_task = True

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row, answer, right in iterate_text_pairs(job):
            words, others = split_rouge_words(answer), split_rouge_words(right)
            yield Scores(row.id, {
                "rouge_l": compute_rouge_l(words, others), "rouge_1": compute_rouge_n(words, others, 1),
                "rouge_2": compute_rouge_n(words, others, 2),
            })


def split_rouge_words(text: str) -> list[str]:
    """Split a text into lower-case words of letters and digits."""
    return WORD_PATTERN.findall(text.lower())


def compute_rouge_n(first: Sequence[str], second: Sequence[str], length: int) -> float:
    """Compute ROUGE-N of two word lists: the F1 of their runs of `length` words, each counted as often as in both."""
    counts, others = (
        Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))
        for words in (first, second)
    )
    total = counts.total() + others.total()
    return 2 * (counts & others).total() / total if total else 0.0


def compute_rouge_l(first: Sequence[str], second: Sequence[str]) -> float:
    """Compute ROUGE-L of two word lists: the F1 of their longest common subsequence, 0 to 1 (Lin 2004)."""
    if not first or not second:
        return 0.0
    # Dynamic programme over two rows: previous[j] is the LCS of the words so far and second[:j].
    previous = [0] * (len(second) + 1)
    for word in first:
        row = [0]
        for j, other in enumerate(second):
            row.append(previous[j] + 1 if word == other else max(previous[j + 1], row[j]))
        previous = row
    return 2 * previous[-1] / (len(first) + len(second))
