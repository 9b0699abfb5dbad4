"""The classifier task: labels of texts, with probabilities."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import Field

from factory.api import (
    Answer,
    Finding,
    Fraction,
    Plugin,
    Provenance,
    Row,
    RowsJob,
    Schedule,
    Task,
    is_blank,
    normalise,
    normalise_label,
    render,
)
from factory.api.label_sets import refuse_row
from factory.api.spec_block import UnkeyedDefault
from factory_classify.label_answers import pick_best_label, rank_labels

CLASSIFIER_INSTRUCTION = "Say to which class the text belongs."
LENGTH_SLICES = ((5, "1 to 5 words"), (12, "6 to 12 words"), (30, "13 to 30 words"))
LONGEST_SLICE = "more than 30 words"
NONE_OF_THESE = "none of these"
RUNNERS_UP, LEAST_SHOWN = 2, 0.01
"""Labels after the best that an answer tells, and the probability that they need."""
CLASSIFIER_DEFAULTS: dict[str, Any] = {
    "objective": "classification",
    "data": {"curate": [{"kind": "exact", "text_columns": ["text", "label"]}], "split": {"stratify": "label"}},
    "contenders": ["tuned", "linear", "centroid", "knn", "tfidf", "majority"],
    "evaluate": ["classification"],
    "targets": ["peft"],
    "train": {"learning_rate": 1e-3},
}
SMOKE_PROFILE: dict[str, Any] = {
    "data": {"limit": 200, "split": {"test": 100, "validation": 40}}, "train": {"epochs": 1},
    "gate": {"resamples": 2000},
}
"""Checks that a spec runs from start to end; the verdict is meaningless."""


class Classifier(Task):
    """Assigns a probability to every label. The labels are those of the training rows."""

    kind = "classifier"
    version = 3
    columns = ("text", "label")
    output_type = "labels"
    text_column = "text"
    schedule = Schedule(steps=100, least_epochs=4, most_epochs=8, batch_size=32)

    text_template: str = Field("{text}", description="template of the model input, over the columns of a row")
    instruction: str = Field(CLASSIFIER_INSTRUCTION, description="system message for prompted models")
    min_label_rows: int = Field(8, ge=1, description="report labels with fewer training rows as rare")
    abstain_below: Annotated[Fraction | None, UnkeyedDefault] = Field(
        None, description="best probability below which `try` abstains; empty for the threshold that training found, "
        "0 never abstains"
    )
    multi_label: Annotated[bool, UnkeyedDefault] = Field(
        False, description="whether `label` is a list: any number of labels for each row, none included"
    )
    none: Annotated[str, UnkeyedDefault] = Field("", description="label that means none of the others; empty for none")

    @classmethod
    def get_variant(cls, fields: Mapping[str, Any]) -> type[Plugin]:
        """Return the class for several labels a row, or the one whose default metrics are those of the label `none`."""
        from factory_classify.multi_label_task import MultiLabelClassifier

        if fields.get("multi_label") is True:
            return MultiLabelClassifier
        none = fields.get("none")
        return build_open_set_class(none) if isinstance(none, str) and none else cls

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return CLASSIFIER_DEFAULTS

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return {"smoke": SMOKE_PROFILE}

    def get_templates(self) -> dict[str, str]:
        template = self.text_template
        return {"text": template, "system": self.instruction, "prompt": template, "target": "{label}"}

    def render_target(self, row: Row) -> str:
        """Return the row's label, in the form in which labels are compared."""
        return normalise_label(super().render_target(row))

    def list_choices(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """Return the labels of these rows, sorted."""
        return tuple(sorted({self.render_target(row) for row in rows}))

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Yield the rows with their label in the form in which labels are compared. Raises InputError for a label that
        is a list or an object."""
        for row in job.rows:
            if isinstance(row["label"], list) and not self.multi_label:
                remedy = "set `task: {kind: classifier, multi_label: true}`"
                refuse_row(row, f"the label of row {row.id!r} is a list; {remedy}")
            if isinstance(row["label"], Mapping):
                refuse_row(row, f"the label of row {row.id!r} is an object; map a field that holds one text")
            label = normalise_label(row["label"])
            yield row if label == row["label"] else row.with_columns(label=label)

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        counts = Counter(self.render_target(row) for row in job.rows)
        labels: defaultdict[str, set[str]] = defaultdict(set)
        for row in job.rows:
            labels[normalise(self._render_classified_text(row))].add(self.render_target(row))
        for row in job.rows:
            text, label = self._render_classified_text(row), self.render_target(row)
            if empty := [name for name, value in (("text", text), ("label", label)) if is_blank(value)]:
                yield Finding("empty", row.id, f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty")
            elif others := sorted(labels[normalise(text)] - {label}):
                conflict = f"{text[:60]!r} is {label!r} here and {others[0]!r} elsewhere"
                yield Finding("conflicting_answers", row.id, conflict)
            if counts[label] < self.min_label_rows:
                rarity = f"label {label!r} has fewer than {self.min_label_rows} training rows: {counts[label]}"
                yield Finding("rare_label", row.id, rarity)

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """Return the text and the answer; a star marks the right label, which follows a wrong one."""
        text, label = self._render_classified_text(row), self.render_target(row)
        if answer is None:
            return f"{text}\n  *{label}"
        predicted, probability = pick_best_label(answer)
        outcome = f"{predicted} {probability:.2f}"
        return f"{text}\n  *{outcome}" if predicted == label else f"{text}\n  {outcome}, right: *{label}"

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        text, label = self._render_classified_text(row), self.render_target(row)
        length = next((name for limit, name in LENGTH_SLICES if len(text.split()) <= limit), LONGEST_SLICE)
        slices = {"label": label, "length": length, "script": name_dominant_script(text)}
        scope = NONE_OF_THESE if label == get_none_label(self) else "in scope"
        return {**slices, "scope": scope} if self.none else slices

    def build_query_row(self, inputs: Mapping[str, Any]) -> Row:
        return Row("question", {"label": "", **inputs, self.text_column: inputs["query"]}, Provenance("the question"))

    def format_answer(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer) -> str:
        """Return the label with its probability, that it is none of these, or that the model abstains; and the
        labels that come next."""
        label, probability = pick_best_label(answer)
        below = answer.details.get("abstain_below", 0.0) if self.abstain_below is None else self.abstain_below
        text = f"{NONE_OF_THESE if label == get_none_label(self) else label} {probability:.2f}"
        if probability < below:
            text = f"abstains: the best label, {label}, has {probability:.2f}, below {below:.3g}"
        after = [pair for pair in rank_labels(answer)[1 : 1 + RUNNERS_UP] if pair[1] >= LEAST_SHOWN]
        return "\nthen ".join([text, *([", ".join(f"{name} {share:.2f}" for name, share in after)] if after else [])])

    def _render_classified_text(self, row: Row) -> str:
        return render(self.text_template, row.columns)


@cache
def build_open_set_class(none: str) -> type[Classifier]:
    """Return the class of the classifiers with the label `none`, of which the default eval has metrics; the same one
    each time, so that equal blocks are equal."""

    class OpenSetClassifier(Classifier):
        """Assigns a probability to every label, one of which means none of the others."""

        @classmethod
        def get_defaults(cls) -> dict[str, Any]:
            return {**CLASSIFIER_DEFAULTS, "evaluate": [{"kind": "classification", "none": none}]}

    return OpenSetClassifier


def get_none_label(task: Task) -> str:
    """Return the label of a task that means none of the others; empty if it has none."""
    return normalise_label(task.none) if isinstance(task, Classifier) else ""


def name_dominant_script(text: str) -> str:
    """Return the script of most letters, by the first word of their Unicode names, such as `arabic`."""
    names = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha())
    return min(names, key=lambda name: (-names[name], name)).lower() if names else "none"
