"""The classifier task with several labels a row: `task: {kind: classifier, multi_label: true}`."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from factory.api import Answer, Finding, Provenance, Row, RowsJob, Schedule, Task, is_blank, normalise, normalise_label
from factory.api.label_sets import LABEL_SETS, build_certain_output, list_given_labels, list_row_labels, refuse_row
from factory_classify.task import CLASSIFIER_DEFAULTS, CLASSIFIER_INSTRUCTION, Classifier

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Membership = NDArray[np.bool_]

MULTI_LABEL_INSTRUCTION = "Say to which classes the text belongs: to any number of them, or to none."
MULTI_LABEL_DEFAULTS: dict[str, Any] = {
    **CLASSIFIER_DEFAULTS, "objective": "multi-label", "evaluate": ["multi-label"],
}
NO_LABEL = "no label"
"""How an empty set of labels is shown."""


class MultiLabelClassifier(Classifier):
    """Assigns any number of labels to a text, each with its own probability and threshold.

    The labels are those of the training rows. In the column `label`, order and repeats of labels do not count.
    """

    output_type = LABEL_SETS
    # Each label has few of the rows: on two sets of 500 rows, the validation loss was 0.060 and 0.022 after 4 epochs,
    # 0.053 and 0.020 after 8.
    schedule = Schedule(steps=120, least_epochs=8, most_epochs=12, batch_size=32)

    @model_validator(mode="after")
    def _refuse_single_label_fields(self) -> MultiLabelClassifier:
        if self.abstain_below:
            raise ValueError("abstain_below is for one label a row; with multi_label each label has its own threshold")
        if self.none:
            raise ValueError("none is for one label a row; with multi_label a row of no label has an empty list")
        return self

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return MULTI_LABEL_DEFAULTS

    def get_templates(self) -> dict[str, str]:
        asked = self.instruction if self.instruction != CLASSIFIER_INSTRUCTION else MULTI_LABEL_INSTRUCTION
        return {**super().get_templates(), "system": asked}

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Yield the rows with their labels sorted, each once. Raises InputError for what is no list of labels."""
        for row in job.rows:
            if problem := _find_labels_problem(row["label"]):
                refuse_row(row, f"the label of row {row.id!r} {problem}")
            yield row.with_columns(label=_sort_labels(row))

    def render_target(self, row: Row) -> str:
        """Return the row's labels as a JSON list, sorted, each in the form in which labels are compared."""
        return json.dumps(_sort_labels(row), ensure_ascii=False)

    def build_expected_output(self, row: Row) -> dict[str, list[float]]:
        labels = list_row_labels(self, row)
        return build_certain_output(labels, labels)

    def list_choices(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """Return every label of these rows, sorted."""
        return tuple(sorted({label for row in rows for label in _sort_labels(row)}))

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        counts = Counter(label for row in job.rows for label in _sort_labels(row))
        answers: defaultdict[str, set[str]] = defaultdict(set)
        for row in job.rows:
            answers[normalise(self._render_classified_text(row))].add(self.render_target(row))
        for row in job.rows:
            text, target = self._render_classified_text(row), self.render_target(row)
            if is_blank(text):
                yield Finding("empty", row.id, "text is empty")
            elif others := sorted(answers[normalise(text)] - {target}):
                conflict = f"{text[:60]!r} has the labels {target} here and {others[0]} elsewhere"
                yield Finding("conflicting_answers", row.id, conflict)
            if rare := [label for label in _sort_labels(row) if counts[label] < self.min_label_rows]:
                few = f"{rare[0]!r} has fewer than {self.min_label_rows} training rows: {counts[rare[0]]}"
                yield Finding("rare_label", row.id, f"label {few}")

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """Return the text and the answer; a star marks right labels, and those that are missing follow."""
        text, right = self._render_classified_text(row), list_row_labels(self, row)
        if answer is None:
            return f"{text}\n  {', '.join(f'*{label}' for label in right) or NO_LABEL}"
        given = list_given_labels(answer.output)
        shown = ", ".join(f"{'*' * (label in right)}{label} {answer.output[label][0]:.2f}" for label in given)
        missing = ", ".join(
            f"*{label} {answer.output[label][0]:.2f}" if label in answer.output else f"*{label}"
            for label in right if label not in given
        )
        return f"{text}\n  {shown or NO_LABEL}" + (f", missing: {missing}" if missing else "")

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        """Return those of a text, the number of labels, and one slice for each label that the row has."""
        common = {name: value for name, value in super().get_row_slices(row).items() if name in ("length", "script")}
        labels = list_row_labels(self, row)
        return {"labels": str(len(labels)), **common, **{f"has {label}": "yes" for label in labels}}

    def build_query_row(self, inputs: Mapping[str, Any]) -> Row:
        return Row("question", {"label": [], **inputs, self.text_column: inputs["query"]}, Provenance("the question"))

    def format_answer(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer) -> str:
        """Return the labels with their probabilities, or the label that came nearest to its threshold."""
        output: Mapping[str, Sequence[float]] = answer.output
        if given := list_given_labels(output):
            return ", ".join(f"{label} {output[label][0]:.2f}" for label in sorted(given, key=lambda n: -output[n][0]))
        nearest = min(output, key=lambda label: (output[label][1] - output[label][0], label))
        probability, threshold = output[nearest]
        return f"{NO_LABEL}; the nearest, {nearest}, has {probability:.2f} of the {threshold:.2f} that it needs"


def _find_labels_problem(value: Any) -> str:
    """Return why a value is no list of labels; empty if it is one."""
    if isinstance(value, str):
        return (
            "is one text, and the task has `multi_label: true`; give a list, let a CSV source split the cell "
            "(`lists: {label: ';'}`), or remove multi_label"
        )
    if not isinstance(value, list | tuple):
        return f"is {type(value).__name__}, not a list of labels"
    wrong = [label for label in value if not isinstance(label, str | int | float) or is_blank(str(label))]
    return f"holds {wrong[0]!r}; a label is a text that is not empty" if wrong else ""


def _sort_labels(row: Row) -> list[str]:
    """Return the labels of a row, sorted, each once. Raises InputError for one text, as a synthesizer may have made."""
    if isinstance(row["label"], str):
        refuse_row(row, f"the label of row {row.id!r} {_find_labels_problem(row['label'])}")
    return sorted({normalise_label(label) for label in row["label"]})


def build_membership(task: Task, rows: Sequence[Row], labels: Sequence[str]) -> Membership:
    """Return which row has which label: (rows, labels). A label that is not among `labels` is left out."""
    import numpy as np

    index, members = {label: number for number, label in enumerate(labels)}, np.zeros((len(rows), len(labels)), bool)
    for number, row in enumerate(rows):
        members[number, [index[label] for label in list_row_labels(task, row) if label in index]] = True
    return members
