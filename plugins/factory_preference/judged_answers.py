"""The answers that a row gives with a judgement, and what length alone explains of the judgements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.api import Row, Task

CHOSEN, REJECTED, GIVEN = "chosen", "rejected", "given"


def list_judged_answers(row: Row, task: Task) -> dict[str, str]:
    """Return the answers that a row gives, by name: `chosen` and `rejected` of a pair, `given` of a thumb.

    {} for a row without a judgement, such as a user's question. The better answer is the task's target.
    """
    if rejected := row.columns.get(REJECTED):
        return {CHOSEN: task.render_target(row), REJECTED: str(rejected)}
    return {GIVEN: task.render_target(row)} if row.columns.get("good") is not None else {}


def list_judgements(row: Row, task: Task) -> list[tuple[str, bool]]:
    """Return the answers that a row gives, each with whether it is the better one, or a good one."""
    answers = list_judged_answers(row, task)
    good = bool(row.columns.get("good"))
    return [(text, good if name == GIVEN else name == CHOSEN) for name, text in answers.items()]


def compute_longer_share(rows: Sequence[Row], task: Task) -> float:
    """Return how often the longer answer, in characters, is the better one: of pairs, or of all couples of a good and a
    bad answer. Couples of one length count half; 0.5 without any."""
    judged = [[(len(text), better) for text, better in list_judgements(row, task)] for row in rows]
    if any(len(own) > 1 for own in judged):
        margins = [own[0][0] - own[1][0] for own in judged if len(own) > 1]  # the chosen answer comes first
        wins = [0.5 * (margin > 0) + 0.5 * (margin >= 0) for margin in margins]
        return sum(wins) / len(wins)
    lengths = [own[0] for own in judged if own]
    return compute_auc([length for length, _ in lengths], [better for _, better in lengths])


def compute_auc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Return the share of couples of a positive and a negative in which the positive has the higher score (area under
    the ROC curve); ties count half. 0.5 if all labels are the same."""
    from scipy.stats import rankdata

    positives = sum(labels)
    negatives = len(labels) - positives
    if not positives or not negatives:
        return 0.5
    ranks: Any = rankdata(scores)
    rank_sum = sum(rank for rank, label in zip(ranks.tolist(), labels, strict=True) if label)
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def compute_length_correlation(rows: Sequence[Row], task: Task) -> float:
    """Return Pearson's correlation of an answer's length with its being the better one; 0.0 where one is constant."""
    import numpy as np

    judged = [(len(text), better) for row in rows for text, better in list_judgements(row, task)]
    table = np.array(judged, dtype=np.float64)
    if len(table) < 2 or not table.std(axis=0).all():
        return 0.0
    matrix: Any = np.corrcoef(table.T)
    return float(matrix[0, 1])
