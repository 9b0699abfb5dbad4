"""Classification metrics: accuracy, F1, log-likelihood, calibration and coverage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from factory.api import (
    Answer,
    Eval,
    Fraction,
    Metric,
    Plugin,
    Row,
    ScoreJob,
    Scores,
    find_distribution_problem,
    normalise_label,
)
from factory.api.spec_block import UnkeyedDefault
from factory_classify.abstention import AbstentionThreshold, apply_abstention, find_abstention_threshold
from factory_classify.calibration import compute_ece, compute_ece_floor, split_equal_mass_bins
from factory_classify.label_answers import get_checked_output, pick_best_label
from factory_classify.none_metrics import NONE_METRICS, compute_none_totals, compute_none_values

MIN_PROBABILITY = 1e-6
"""Lower bound of probabilities in logarithms: answers are rounded to this precision."""
CONFIDENCE_CUTS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
MAX_CONFUSIONS = 20


class ClassificationMetrics(Eval):
    """Accuracy, Brier score and negative log-likelihood per row; macro F1, calibration error and coverage overall.

    The calibration error (ECE) has 15 bins of equally many answers, or fewer, so that each has 20; `ece_floor` is what
    perfectly calibrated answers of these confidences show by chance. `bundle_accuracy` and `bundle_coverage` are those
    at the bundle's own abstention threshold; `oracle_coverage` is at the best one for these test rows, which nobody
    knows before. The right label is the column `label`; a label without training rows cannot be predicted, and counts
    as wrong. With `none`, which a task's `none` sets: accuracy in scope, recall, AUROC and precision of that label.
    """

    kind = "classification"
    version = 2
    columns = ("label",)
    output_type = "labels"
    primary_metric = "accuracy"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("accuracy", "share of rows whose most probable label is right", binary=True),
        Metric("brier", "Brier score: squared error of the probabilities, 0 to 2", higher_is_better=False),
        Metric("nll", "negative log-likelihood of the right label", higher_is_better=False),
    )
    total_metrics = (Metric("macro_f1", "mean F1 of the labels that occur or are predicted, each counted alike"),)

    target_accuracy: Fraction = Field(0.95, description="accuracy for which `oracle_coverage` is computed")
    none: Annotated[str, UnkeyedDefault] = Field("", description="label that means none of the others; empty for none")

    @classmethod
    def get_variant(cls, fields: Mapping[str, Any]) -> type[Plugin]:
        """Return the class with the metrics of the label `none`, if there is one."""
        return OpenSetMetrics if fields.get("none") else cls

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        scope = compute_none_values(*_list_labels_and_answers(job), normalise_label(self.none)) if self.none else {}
        for position, row in enumerate(job.rows):
            answer, label = _get_checked_answer(job, row), _get_label(row)
            output: Mapping[str, float] = answer.output
            right = output.get(label, 0.0)
            yield Scores(row.id, {
                "accuracy": float(pick_best_label(answer)[0] == label),
                "brier": sum(p * p for p in output.values()) - 2 * right + 1,
                "nll": -math.log(max(right, MIN_PROBABILITY)),
                **{name: float(values[position]) for name, values in scope.items()},
            })

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """Return the overall metrics; `unseen` is the share of rows whose label has no training rows.

        Raises ValueError if `none` is set and no row has that label, or every row has it.
        """
        confidences, hits = _list_confidences(job)
        f1 = [metrics["f1"] for metrics in _compute_per_class(job)]
        bundle, oracle = _get_bundle_threshold(job), find_abstention_threshold(confidences, hits, self.target_accuracy)
        known = {_get_label(row) for row in job.train}
        scope = compute_none_totals(*_list_labels_and_answers(job), normalise_label(self.none)) if self.none else {}
        return {
            "macro_f1": sum(f1) / len(f1), "ece": compute_ece(list(split_equal_mass_bins(confidences, hits))),
            "ece_floor": compute_ece_floor(confidences),
            **(_summarise_bundle_threshold(apply_abstention(confidences, hits, bundle)) if bundle is not None else {}),
            "oracle_coverage": oracle.coverage, "oracle_threshold": oracle.below, **scope,
            "unseen": sum(_get_label(row) not in known for row in job.rows) / len(job.rows) if known else 0.0,
        }

    def list_total_counts(self, name: str, job: ScoreJob) -> Any:
        """Return for each row and label whether it is right, whether it is predicted, and whether it is both."""
        import numpy as np

        right = [_get_label(row) for row in job.rows]
        predicted = [pick_best_label(_get_checked_answer(job, row))[0] for row in job.rows]
        index = {label: number for number, label in enumerate(sorted({*right, *predicted}))}
        counts, rows = np.zeros((len(right), 3, len(index))), range(len(right))
        counts[rows, 0, [index[label] for label in right]] = 1
        counts[rows, 1, [index[label] for label in predicted]] = 1
        counts[:, 2] = counts[:, 0] * counts[:, 1]
        return counts.reshape(len(right), -1)

    def compute_total_from_counts(self, name: str, sums: Any) -> Any:
        """Return macro F1 over the labels that occur or are predicted in each resample."""
        import numpy as np

        actual, predicted, hits = np.moveaxis(np.reshape(sums, (len(sums), 3, -1)), 1, 0)
        occurs = actual + predicted > 0
        f1 = np.divide(2 * hits, actual + predicted, out=np.zeros_like(hits), where=occurs)
        return f1.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        confidences, hits = _list_confidences(job)
        pairs = Counter((_get_label(row), pick_best_label(_get_checked_answer(job, row))[0]) for row in job.rows)
        oracle = find_abstention_threshold(confidences, hits, self.target_accuracy).below
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
            "abstaining": list(_tabulate_abstention(confidences, hits, _get_bundle_threshold(job), oracle)),
            "confusions": [{"label": right, "said": label, "n": -n} for n, right, label in wrong[:MAX_CONFUSIONS]],
        }


class OpenSetMetrics(ClassificationMetrics):
    """Metrics of a classifier with a label that means none of the others."""

    metrics = (*ClassificationMetrics.metrics, *NONE_METRICS)


def _list_labels_and_answers(job: ScoreJob) -> tuple[list[str], list[Answer]]:
    return [_get_label(row) for row in job.rows], [_get_checked_answer(job, row) for row in job.rows]


def _get_label(row: Row) -> str:
    return normalise_label(row["label"])


def _get_bundle_threshold(job: ScoreJob) -> float | None:
    """Return the confidence below which this contender's bundle abstains; None if it never does."""
    below: float | None = job.facts.get("abstain_below")
    return below


def _summarise_bundle_threshold(applied: AbstentionThreshold) -> dict[str, float]:
    """Return what the bundle's threshold is worth on the test rows; no accuracy if it answers none of them."""
    accuracy = {"bundle_accuracy": applied.accuracy} if applied.answered else {}
    return {"bundle_threshold": applied.below, "bundle_coverage": applied.coverage, **accuracy}


def _get_checked_answer(job: ScoreJob, row: Row) -> Answer:
    """Return the answer to a row, its labels in the form in which they are compared.

    Raises ValueError if it is missing or no distribution over labels.
    """
    output = get_checked_output(job, row, find_distribution_problem)
    return replace(job.answers[row.id], output=output)


def _list_confidences(job: ScoreJob) -> tuple[list[float], list[bool]]:
    best = [(pick_best_label(_get_checked_answer(job, row)), _get_label(row)) for row in job.rows]
    return [probability for (_, probability), _ in best], [label == right for (label, _), right in best]


def _compute_per_class(job: ScoreJob) -> Iterator[dict[str, Any]]:
    """Yield the metrics of each label that is in the test rows or was predicted; F1 is 0 if it was never right."""
    right = [_get_label(row) for row in job.rows]
    predicted = [pick_best_label(_get_checked_answer(job, row))[0] for row in job.rows]
    hits = Counter(label for label, prediction in zip(right, predicted, strict=True) if label == prediction)
    actual, counts = Counter(right), Counter(predicted)
    for label in sorted({*actual, *counts}):
        precision, recall = hits[label] / (counts[label] or 1), hits[label] / (actual[label] or 1)
        f1 = 2 * hits[label] / (actual[label] + counts[label])
        yield {"label": label, "precision": precision, "recall": recall, "f1": f1, "n": actual[label]}


def _tabulate_abstention(
    confidences: Sequence[float], hits: Sequence[bool], bundle: float | None, oracle: float
) -> Iterator[dict[str, Any]]:
    """Yield coverage and accuracy of abstaining below each confidence, and who chose it."""
    named = [(bundle, "the bundle, on validation rows"), (oracle, "oracle: the best for these test rows")]
    chosen = [(cut, "") for cut in CONFIDENCE_CUTS] + [(cut, by) for cut, by in named if cut is not None]
    for cut, by in chosen:
        applied = apply_abstention(confidences, hits, cut)
        accuracy = round(applied.accuracy, 4) if applied.answered else None
        yield {"below": round(cut, 4), "coverage": round(applied.coverage, 4), "accuracy": accuracy, "chosen_by": by}
