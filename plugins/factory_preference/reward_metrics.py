"""Metrics of reward models: whether the answer that people chose has the higher reward, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.api import Eval, Metric, Row, ScoreJob, Scores
from factory_classify.calibration import CalibrationBin, compute_ece, split_equal_mass_bins
from factory_preference.judged_answers import CHOSEN, REJECTED
from factory_preference.reward_task import REWARDS


class PairwiseMetrics(Eval):
    """Whether the chosen answer of a pair has the higher reward; equal rewards count one half.

    The logistic function of a margin is the probability that people choose so (Bradley & Terry 1952): `pair_nll` is how
    unlikely the choices are by it, ln 2 for a coin, and the total `ece` how far it lies from how often it is right,
    over bins of equally many pairs. Rewards that are no log-odds, such as lengths, are not calibrated. The totals over
    pairs whose better answer is the shorter or the longer one show what length explains.
    """

    kind = "pairwise"
    columns = ("answers", "chosen", "rejected")
    output_type = REWARDS
    primary_metric = "pair_accuracy"
    metrics = (
        Metric("pair_accuracy", "whether the chosen answer has the higher reward"),
        Metric("pair_nll", "negative log-likelihood of the choice by the margin of rewards", higher_is_better=False),
    )

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row, margin in zip(job.rows, list_margins(job), strict=True):
            yield Scores(row.id, {"pair_accuracy": compare_with_zero(margin), "pair_nll": compute_softplus(-margin)})

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        by_length = {f"pair_accuracy_{name}": mean for name, _, mean in _iterate_length_groups(job)}
        return {**by_length, "ece": compute_ece(split_by_confidence(list_margins(job)))}

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return the accuracy by the length of the better answer, and the bins of the calibration."""
        lines = [
            {"better answer": name, "pairs": count, "pair_accuracy": round(mean, 4)}
            for name, count, mean in _iterate_length_groups(job)
        ]
        bins = [
            {"pairs": each.n, "confidence": round(each.confidence, 4), "pair_accuracy": round(each.accuracy, 4)}
            for each in split_by_confidence(list_margins(job))
        ]
        return {"length of the better answer": lines, "calibration": bins}


def list_margins(job: ScoreJob) -> list[float]:
    """Return by how much the chosen answer's reward is the higher one, of each row. Raises ValueError for a row without
    an answer, or with another number of rewards than answers."""
    return [_compute_margin(job, row) for row in job.rows]


def _compute_margin(job: ScoreJob, row: Row) -> float:
    answer, texts = job.answers.get(row.id), list(row["answers"])
    if answer is None:
        raise ValueError(f"row {row.id!r} has no answer")
    if len(answer.output) != len(texts):
        raise ValueError(f"row {row.id!r}: expected a reward per answer ({len(texts)}), got {len(answer.output)}")
    rewards = dict(zip(texts, answer.output, strict=True))
    return float(rewards[str(row[CHOSEN])] - rewards[str(row[REJECTED])])


def compare_with_zero(margin: float) -> float:
    """Return 1.0 for a positive margin, 0.0 for a negative one, and 0.5 for none."""
    return 0.5 if margin == 0 else float(margin > 0)


def compute_softplus(value: float) -> float:
    """Return ln(1 + exp(value)), also of large values."""
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def split_by_confidence(margins: Sequence[float]) -> list[CalibrationBin]:
    """Return bins of equally many pairs: confidence is the probability that the answer with the higher reward is the
    chosen one."""
    confidences = [1 / (1 + math.exp(-min(abs(margin), 500.0))) for margin in margins]
    return list(split_equal_mass_bins(confidences, list(map(compare_with_zero, margins))))


def _iterate_length_groups(job: ScoreJob) -> Iterator[tuple[str, int, float]]:
    """Yield the number of pairs whose better answer is the shorter, or the longer one, with their accuracy."""
    hits = [compare_with_zero(margin) for margin in list_margins(job)]
    for name, sign in (("shorter", -1), ("longer", 1)):
        own = [
            hit for row, hit in zip(job.rows, hits, strict=True)
            if sign * (len(str(row[CHOSEN])) - len(str(row[REJECTED]))) > 0
        ]
        if own:
            yield name, len(own), sum(own) / len(own)
