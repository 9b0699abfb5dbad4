"""Classification metrics: accuracy, F1, log-likelihood, calibration and coverage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from factory.api import Answer, Eval, Fraction, Metric, Row, ScoreJob, Scores
from factory_classify.calibration import compute_ece, find_abstention_threshold, split_equal_mass_bins
from factory_classify.label_answers import pick_best_label

MIN_PROBABILITY = 1e-6
"""Lower bound of probabilities in logarithms: answers are rounded to this precision."""
CONFIDENCE_CUTS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
MAX_CONFUSIONS = 20
SUM_TOLERANCE = 0.01
"""Largest deviation of the sum of probabilities from 1, due to rounding."""


class ClassificationMetrics(Eval):
    """Accuracy, Brier score and negative log-likelihood per row; macro F1, calibration error and coverage overall.

    The calibration error (ECE) has 15 bins of equally many answers. The right label is the column `label`; a label
    without training rows cannot be predicted, and counts as wrong.
    """

    kind = "classification"
    columns = ("label",)
    output_type = "labels"
    primary_metric = "accuracy"
    metrics = (
        Metric("accuracy", "share of rows whose most probable label is right", binary=True),
        Metric("brier", "Brier score: squared error of the probabilities, 0 to 2", higher_is_better=False),
        Metric("nll", "negative log-likelihood of the right label", higher_is_better=False),
    )

    target_accuracy: Fraction = Field(0.95, description="accuracy for which `coverage` is computed")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            answer, label = _get_checked_answer(job, row), str(row["label"])
            output: Mapping[str, float] = answer.output
            right = output.get(label, 0.0)
            yield Scores(row.id, {
                "accuracy": float(pick_best_label(answer)[0] == label),
                "brier": sum(p * p for p in output.values()) - 2 * right + 1,
                "nll": -math.log(max(right, MIN_PROBABILITY)),
            })

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """Return the overall metrics; `unseen` is the share of rows whose label has no training rows."""
        confidences, hits = _list_confidences(job)
        f1 = [metrics["f1"] for metrics in _compute_per_class(job)]
        threshold, coverage = find_abstention_threshold(confidences, hits, self.target_accuracy)
        known = {str(row["label"]) for row in job.train}
        return {
            "macro_f1": sum(f1) / len(f1), "ece": compute_ece(list(split_equal_mass_bins(confidences, hits))),
            "coverage": coverage, "threshold": threshold,
            "unseen": sum(str(row["label"]) not in known for row in job.rows) / len(job.rows) if known else 0.0,
        }

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        confidences, hits = _list_confidences(job)
        pairs = Counter((str(row["label"]), pick_best_label(_get_checked_answer(job, row))[0]) for row in job.rows)
        wrong = sorted((-n, right, predicted) for (right, predicted), n in pairs.items() if right != predicted)
        return {
            "per_class": [
                {name: round(value, 4) if isinstance(value, float) else value for name, value in metrics.items()}
                for metrics in _compute_per_class(job)
            ],
            "reliability": [
                {"bin": number, "confidence": round(b.confidence, 4), "accuracy": round(b.accuracy, 4), "n": b.n}
                for number, b in enumerate(split_equal_mass_bins(confidences, hits), 1)
            ],
            "abstaining": list(_tabulate_abstention(confidences, hits)),
            "confusions": [{"label": right, "said": label, "n": -n} for n, right, label in wrong[:MAX_CONFUSIONS]],
        }


def _get_checked_answer(job: ScoreJob, row: Row) -> Answer:
    answer = job.answers.get(row.id)
    if answer is None:
        raise ValueError(f"row {row.id!r} has no answer")
    total = sum(answer.output.values())
    if abs(total - 1) > SUM_TOLERANCE:
        raise ValueError(f"row {row.id!r}: the label probabilities sum to {total:.3f}, not 1")
    return answer


def _list_confidences(job: ScoreJob) -> tuple[list[float], list[bool]]:
    best = [(pick_best_label(_get_checked_answer(job, row)), str(row["label"])) for row in job.rows]
    return [probability for (_, probability), _ in best], [label == right for (label, _), right in best]


def _compute_per_class(job: ScoreJob) -> Iterator[dict[str, Any]]:
    """Yield the metrics of each label that is in the test rows or was predicted; F1 is 0 if it was never right."""
    right = [str(row["label"]) for row in job.rows]
    predicted = [pick_best_label(_get_checked_answer(job, row))[0] for row in job.rows]
    hits = Counter(label for label, prediction in zip(right, predicted, strict=True) if label == prediction)
    actual, counts = Counter(right), Counter(predicted)
    for label in sorted({*actual, *counts}):
        precision, recall = hits[label] / (counts[label] or 1), hits[label] / (actual[label] or 1)
        f1 = 2 * hits[label] / (actual[label] + counts[label])
        yield {"label": label, "precision": precision, "recall": recall, "f1": f1, "n": actual[label]}


def _tabulate_abstention(confidences: Sequence[float], hits: Sequence[bool]) -> Iterator[dict[str, Any]]:
    """Yield coverage and accuracy of abstaining below each confidence."""
    for cut in CONFIDENCE_CUTS:
        answered = [hit for confidence, hit in zip(confidences, hits, strict=True) if confidence >= cut]
        accuracy = round(sum(answered) / len(answered), 4) if answered else None
        yield {"below": cut, "coverage": round(len(answered) / len(hits), 4), "accuracy": accuracy}
