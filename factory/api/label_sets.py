"""Answers of the output type `label-sets`: any number of labels for one row, none included.

An answer maps every known label to its probability and to the threshold from which the label is given, as
`{"billing": [0.91, 0.4], "delivery": [0.12, 0.35]}`. Probabilities of different labels are independent: they need not
sum to 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn

from factory.errors import InputError
from factory.text.labels import normalise_label

if TYPE_CHECKING:
    from factory.api.roles import Task
    from factory.api.rows import Row

LABEL_SETS = "label-sets"
"""The output type."""
NUMBER_DIGITS = 6
"""Digits of probabilities and thresholds in answers."""
SURE, NEVER, HALF = 1.0, 0.0, 0.5
"""Probabilities of a label that is said for sure, or not at all, and the threshold between the two."""


def build_label_set_output(
    labels: Sequence[str], probabilities: Iterable[float], thresholds: Iterable[float]
) -> dict[str, list[float]]:
    """Return the output that gives those labels whose probability reaches their threshold."""
    return {
        label: [round(float(probability), NUMBER_DIGITS), round(float(threshold), NUMBER_DIGITS)]
        for label, probability, threshold in zip(labels, probabilities, thresholds, strict=True)
    }


def build_certain_output(labels: Sequence[str], chosen: Iterable[str]) -> dict[str, list[float]]:
    """Return the output that gives the chosen ones of all labels, each for sure."""
    given = set(chosen)
    return {label: [SURE if label in given else NEVER, HALF] for label in labels}


def list_given_labels(output: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """Return the labels that an output gives, sorted by name."""
    return tuple(sorted(label for label, (probability, threshold) in output.items() if probability >= threshold))


def list_row_labels(task: Task, row: Row) -> tuple[str, ...]:
    """Return the labels of a row, sorted: its target, or for `label-sets` those in the JSON list that is its target."""
    target = task.render_target(row)
    return tuple(json.loads(target)) if task.output_type == LABEL_SETS else (target,)


def find_label_set_problem(output: Any) -> str:
    """Return why a value of the output type `label-sets` can not be scored; empty if it can."""
    if not isinstance(output, Mapping):
        return "expected a mapping of label to [probability, threshold]"
    for label, pair in output.items():
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            return f"{label!r} has {pair!r}, not [probability, threshold]"
        for value in pair:
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                return f"{label!r} has {value!r}, not a finite number"
        if not 0 <= pair[0] <= 1:
            return f"the probability of {label!r} is {pair[0]:g}, not between 0 and 1"
    return ""


def get_single_label(row: Row, column: str) -> str:
    """Return the one label of a row as labels are compared. Raises InputError for a list, and ValueError without a
    column of this name."""
    if column not in row.columns:
        raise ValueError(f"rows have no column {column!r}; they have {', '.join(row.columns)}")
    value = row[column]
    if isinstance(value, list | tuple):
        refuse_row(row, f"row {row.id!r} has a list of labels in {column!r}; this kind needs one label for each row")
    return normalise_label(value)


def refuse_row(row: Row, text: str) -> NoReturn:
    """Raise InputError that names the file and line of a row of the user's data."""
    raise InputError(f"{row.provenance.source}:{row.provenance.line}: {text}")
