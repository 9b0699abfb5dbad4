"""What labels with probabilities are worth: how often they are right, and how far they can be believed."""

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
"""The least probability whose logarithm is taken: answers are rounded to so much."""
CONFIDENCE_CUTS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
MAX_CONFUSIONS = 20
SUM_TOLERANCE = 0.01
"""How far the probabilities of an answer may be from 1 together, for their rounding."""


class ClassificationMetrics(Eval):
    """Accuracy, Brier score and log-likelihood of each row; macro F1, calibration and coverage of all together.

    The calibration error has 15 bins of equally many answers. The label of a row is the column `label`; one that no
    training row has can not be answered, and counts as wrong.
    """

    kind = "classification"
    columns = ("label",)
    output_type = "labels"
    primary_metric = "accuracy"
    metrics = (
        Metric("accuracy", "whether the likeliest label is the right one", binary=True),
        Metric("brier", "squared distance of the probabilities from the truth, 0 to 2", higher_is_better=False),
        Metric("nll", "negative logarithm of the right label's probability", higher_is_better=False),
    )

    wanted: Fraction = Field(0.95, description="accuracy at which `coverage` says how many answers could be given")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            answer, label = _get_checked_answer(job, row), str(row["label"])
            output: Mapping[str, float] = answer.output
            squares = sum(p * p for p in output.values())
            right = output.get(label, 0.0)
            yield Scores(row.id, {
                "accuracy": float(pick_best_label(answer)[0] == label),
                "brier": squares - 2 * right + 1,
                "nll": -math.log(max(right, MIN_PROBABILITY)),
            })

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """`unseen` is the share of rows whose label no training row has."""
        sure, hits = _list_confidences(job)
        f1 = [one["f1"] for one in _compute_per_class(job)]
        least, coverage = find_abstention_threshold(sure, hits, self.wanted)
        known = {str(row["label"]) for row in job.train}
        return {
            "macro_f1": sum(f1) / len(f1),
            "ece": compute_ece(list(split_equal_mass_bins(sure, hits))),
            "coverage": coverage,
            "threshold": least,
            "unseen": sum(str(row["label"]) not in known for row in job.rows) / len(job.rows) if known else 0.0,
        }

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        sure, hits = _list_confidences(job)
        pairs = Counter((str(row["label"]), pick_best_label(_get_checked_answer(job, row))[0]) for row in job.rows)
        wrong = sorted((-n, right, said) for (right, said), n in pairs.items() if right != said)
        return {
            "per_class": [
                {name: _round_float(value) for name, value in one.items()} for one in _compute_per_class(job)
            ],
            "reliability": [
                {"bin": number, "confidence": round(one.confidence, 4), "accuracy": round(one.accuracy, 4), "n": one.n}
                for number, one in enumerate(split_equal_mass_bins(sure, hits), 1)
            ],
            "abstaining": list(_tabulate_abstention(sure, hits)),
            "confusions": [{"label": right, "said": said, "n": -n} for n, right, said in wrong[:MAX_CONFUSIONS]],
        }


def _get_checked_answer(job: ScoreJob, row: Row) -> Answer:
    answer = job.answers.get(row.id)
    if answer is None:
        raise ValueError(f"row {row.id!r} has no answer")
    total = sum(answer.output.values())
    if abs(total - 1) > SUM_TOLERANCE:
        raise ValueError(f"row {row.id!r}: the probabilities of its labels sum to {total:.3f}")
    return answer


def _list_confidences(job: ScoreJob) -> tuple[list[float], list[bool]]:
    said = [(pick_best_label(_get_checked_answer(job, row)), str(row["label"])) for row in job.rows]
    return [probability for (_, probability), _ in said], [label == right for (label, _), right in said]


def _compute_per_class(job: ScoreJob) -> Iterator[dict[str, Any]]:
    """A line for each label that the test rows have, or that was said; F1 is 0 for one that was never right."""
    right = [str(row["label"]) for row in job.rows]
    said = [pick_best_label(_get_checked_answer(job, row))[0] for row in job.rows]
    hits = Counter(one for one, other in zip(right, said, strict=True) if one == other)
    there, given = Counter(right), Counter(said)
    for label in sorted({*there, *given}):
        precision, recall = hits[label] / (given[label] or 1), hits[label] / (there[label] or 1)
        f1 = 2 * hits[label] / (there[label] + given[label])
        yield {"label": label, "precision": precision, "recall": recall, "f1": f1, "n": there[label]}


def _round_float(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _tabulate_abstention(sure: Sequence[float], hits: Sequence[bool]) -> Iterator[dict[str, Any]]:
    """What abstaining below each confidence would leave: the share of rows answered, and how often that is right."""
    for cut in CONFIDENCE_CUTS:
        kept = [hit for confidence, hit in zip(sure, hits, strict=True) if confidence >= cut]
        accuracy = round(sum(kept) / len(kept), 4) if kept else None
        yield {"below": cut, "coverage": round(len(kept) / len(hits), 4), "accuracy": accuracy}
