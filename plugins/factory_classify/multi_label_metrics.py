"""Metrics of classifiers with several labels a row: F1 by row, by label and over all pairs, Jaccard, exact sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.api import Eval, Metric, Row, ScoreJob, Scores, normalise_label
from factory.api.label_sets import LABEL_SETS, find_label_set_problem, list_given_labels
from factory_classify.calibration import compute_ece, compute_ece_floor, split_equal_mass_bins
from factory_classify.label_answers import get_checked_output

MAX_MISTAKEN_PAIRS = 20


class MultiLabelMetrics(Eval):
    """Example-based F1, subset accuracy and Jaccard per row; micro and macro F1 and calibration error overall.

    A row without a label, to which none is given, is right: its F1, accuracy and Jaccard are 1; where only one of the
    two sets is empty they are 0. A label without training rows cannot be given, and counts as missed. Micro F1 counts
    every pair of row and label alike, macro F1 every label that occurs or is given; both are 1 where there is none.
    """

    kind = "multi-label"
    columns = ("label",)
    output_type = LABEL_SETS
    primary_metric = "example_f1"
    metrics = (
        Metric("example_f1", "F1 of the labels that are given to a row (example-based F1)"),
        Metric("subset_accuracy", "share of rows to which exactly the right labels are given", binary=True),
        Metric("jaccard", "labels that are right and given, as a share of those that are either"),
        Metric("brier", "mean squared error of the labels' probabilities", higher_is_better=False),
    )
    total_metrics = (
        Metric("micro_f1", "F1 over all pairs of row and label"),
        Metric("macro_f1", "mean F1 of the labels that occur or are given, each counted alike"),
    )

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            right, output = _get_labels(row), _get_output(job, row)
            given = {*list_given_labels(output)}
            shared, either = len(right & given), len(right | given)
            # Sorted, as the last digit of a sum depends on the order, and that of a set on the process.
            known = sorted({*output, *right})
            errors = [(output[label][0] if label in output else 0.0) - (label in right) for label in known]
            yield Scores(row.id, {
                "example_f1": 2 * shared / (len(right) + len(given)) if either else 1.0,
                "subset_accuracy": float(right == given),
                "jaccard": shared / either if either else 1.0,
                "brier": sum(error * error for error in errors) / len(errors) if errors else 0.0,
            })

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """Return the overall metrics; `labels_given` is the mean number of labels given to a row."""
        lines = list(_compute_per_label(job))
        sizes = sum(line["n"] + line["given"] for line in lines)
        levels, hits = _list_label_confidences(job)
        return {
            "micro_f1": 2 * sum(line["hits"] for line in lines) / sizes if sizes else 1.0,
            "macro_f1": sum(line["f1"] for line in lines) / len(lines) if lines else 1.0,
            "ece": compute_ece(list(split_equal_mass_bins(levels, hits))), "ece_floor": compute_ece_floor(levels),
            "labels_given": sum(line["given"] for line in lines) / len(job.rows),
        }

    def list_total_counts(self, name: str, job: ScoreJob) -> Any:
        """Return for each row and label whether it is right, whether it is given, and whether it is both."""
        import numpy as np

        sets = list(_iterate_sets(job))
        index = {label: number for number, label in enumerate(sorted({*()}.union(*(a | b for a, b in sets))))}
        counts = np.zeros((len(sets), 3, max(len(index), 1)))
        for number, (right, given) in enumerate(sets):
            for part, labels in enumerate((right, given, right & given)):
                counts[number, part, [index[label] for label in labels]] = 1
        return counts.reshape(len(sets), -1)

    def compute_total_from_counts(self, name: str, sums: Any) -> Any:
        """Return micro F1, or macro F1 over the labels that occur or are given in each resample."""
        import numpy as np

        actual, given, hits = np.moveaxis(np.reshape(sums, (len(sums), 3, -1)), 1, 0)
        sizes, shared = actual + given, 2 * hits
        if name == "micro_f1":
            sizes, shared = sizes.sum(axis=1, keepdims=True), shared.sum(axis=1, keepdims=True)
        occurs = sizes > 0
        f1 = np.divide(shared, sizes, out=np.zeros_like(shared), where=occurs)
        return np.where(occurs.any(axis=1), f1.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1), 1.0)

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        levels, hits = _list_label_confidences(job)
        return {
            "per_label": [
                {name: round(value, 4) if isinstance(value, float) else value for name, value in line.items()
                 if name != "hits"} for line in _compute_per_label(job)
            ],
            "reliability": [
                {"bin": number, "confidence": round(b.confidence, 4), "accuracy": round(b.accuracy, 4), "n": b.n}
                for number, b in enumerate(split_equal_mass_bins(levels, hits), 1)
            ],
            "mistaken_pairs": list(_count_mistaken_pairs(job)),
        }


def _get_labels(row: Row) -> set[str]:
    return {normalise_label(label) for label in row["label"]}


def _get_output(job: ScoreJob, row: Row) -> Mapping[str, Sequence[float]]:
    """Return the output for a row. Raises ValueError if it is missing or no set of labels."""
    return get_checked_output(job, row, find_label_set_problem)


def _iterate_sets(job: ScoreJob) -> Iterator[tuple[set[str], set[str]]]:
    """Yield the labels that each row has, and those that it is given."""
    for row in job.rows:
        yield _get_labels(row), {*list_given_labels(_get_output(job, row))}


def _compute_per_label(job: ScoreJob) -> Iterator[dict[str, Any]]:
    """Yield precision, recall and F1 of each label that is in the test rows or was given, and how often it was."""
    actual, given, hits = Counter[str](), Counter[str](), Counter[str]()
    for right, predicted in _iterate_sets(job):
        actual.update(right)
        given.update(predicted)
        hits.update(right & predicted)
    for label in sorted({*actual, *given}):
        precision, recall = hits[label] / (given[label] or 1), hits[label] / (actual[label] or 1)
        f1 = 2 * hits[label] / (actual[label] + given[label])
        yield {
            "label": label, "precision": precision, "recall": recall, "f1": f1, "n": actual[label],
            "given": given[label], "hits": hits[label],
        }


def _list_label_confidences(job: ScoreJob) -> tuple[list[float], list[bool]]:
    """Return the probability of every pair of row and label, and whether the row has the label."""
    pairs = [
        (float(pair[0]), label in right)
        for row in job.rows for right in [_get_labels(row)] for label, pair in _get_output(job, row).items()
    ]
    return [level for level, _ in pairs], [hit for _, hit in pairs]


def _count_mistaken_pairs(job: ScoreJob) -> Iterator[dict[str, Any]]:
    """Yield which label was given where another was missed, the most frequent first; empty for none at all."""
    pairs: Counter[tuple[str, str]] = Counter()
    for right, given in _iterate_sets(job):
        pairs.update((missed, extra) for missed in right - given or {""} for extra in given - right or {""})
    del pairs["", ""]
    for (missed, extra), n in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MAX_MISTAKEN_PAIRS]:
        yield {"missed": missed, "given": extra, "n": n}
