"""Answers of classifiers: mappings of label to probability, or to probability and threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from factory.api import Answer, Row, ScoreJob, normalise_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]
    Numbers = NDArray[np.float64]

PROBABILITY_DIGITS = 6
"""Digits of probabilities in answers; more would expose the last bits of sums, which differ between machines."""


def build_label_answer(row: str, labels: Sequence[str], probabilities: Sequence[float]) -> Answer:
    """Build an answer from the probabilities of all labels, in their order."""
    rounded = (round(float(probability), PROBABILITY_DIGITS) for probability in probabilities)
    return Answer(row, dict(zip(labels, rounded, strict=True)))


def get_checked_output(job: ScoreJob, row: Row, find_problem: Callable[[Any], str]) -> dict[str, Any]:
    """Return the output for a row, its labels in the form in which they are compared.

    Raises ValueError if it is missing, or `find_problem` says why it can not be scored.
    """
    answer = job.answers.get(row.id)
    if answer is None:
        raise ValueError(f"row {row.id!r} has no answer")
    if problem := find_problem(answer.output):
        raise ValueError(f"row {row.id!r}: {problem}")
    output = {normalise_label(label): value for label, value in answer.output.items()}
    if len(output) < len(answer.output):
        raise ValueError(f"row {row.id!r}: two of the answer's labels differ in their Unicode form or white space only")
    return output


def rank_labels(answer: Answer) -> list[tuple[str, float]]:
    """Return the labels with their probabilities, the most probable first; ties go by name."""
    output: Mapping[str, float] = answer.output
    return sorted(output.items(), key=lambda pair: (-pair[1], pair[0]))


def pick_best_label(answer: Answer) -> tuple[str, float]:
    """Return the most probable label and its probability; ties go to the first label by name."""
    output: Mapping[str, float] = answer.output
    label = min(output, key=lambda name: (-output[name], name))
    return label, output[label]


def compute_softmax(logits: Numbers) -> Numbers:
    """Convert logits (rows, labels) to probabilities."""
    import numpy as np

    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
