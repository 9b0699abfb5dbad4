"""Answers of the form `labels`: label → probability. What all who give or read them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from factory.api import Answer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

PROBABILITY_DIGITS = 6
"""Of a probability in an answer: more would show the last bits of a sum, which differ between machines."""


def build_label_answer(row: str, labels: Sequence[str], probabilities: Sequence[float]) -> Answer:
    """An answer out of the probabilities of all labels, in their order."""
    return Answer(
        row, {label: round(float(p), PROBABILITY_DIGITS) for label, p in zip(labels, probabilities, strict=True)}
    )


def pick_best_label(answer: Answer) -> tuple[str, float]:
    """The likeliest label and its probability; of equals the first by name."""
    output: Mapping[str, float] = answer.output
    label = min(output, key=lambda name: (-output[name], name))
    return label, output[label]


def compute_softmax(logits: Numbers) -> Numbers:
    """Rows of logits to rows of probabilities."""
    import numpy as np

    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return found
