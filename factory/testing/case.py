"""Test cases for plugins: example rows, side tables and answers, from the kit or from the author."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.api import Answer, Provenance, Row
from factory.api.label_sets import LABEL_SETS, build_certain_output

Columns = Mapping[str, Any]
LABELS = ("animal", "plant", "stone")
LABEL_WORDS = {
    "animal": ("cat", "dog", "owl", "fish", "bear", "wolf", "hare"),
    "plant": ("fern", "oak", "moss", "rose", "reed", "pine", "leek"),
    "stone": ("slate", "flint", "chalk", "marble", "opal", "jade", "basalt"),
}
NOISE_WORDS = (
    "a", "the", "old", "small", "near", "under", "grey", "by", "one", "two", "of", "some", "wet", "cold", "far",
)
EXAMPLE_ROW_COUNT = 60


@dataclass(frozen=True, slots=True)
class Case:
    """The inputs for testing one plugin. The defaults suit plugins that read common columns.

    `fields` are those of the plugin, `files` (name → content) are put in the spec's folder, `rows` are the columns of
    example rows and `tables` those of side tables (table → id → columns). `answers` are outputs for an eval to score,
    one per row; `replies` are the teacher's or judge's responses, in turn. `task` and `spec` set the task and further
    fields of the spec for the real build; `timeout_seconds` limits one call.
    """

    fields: Columns = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    rows: Sequence[Columns] = ()
    tables: Mapping[str, Mapping[str, Columns]] = field(default_factory=dict)
    answers: Sequence[Any] = ()
    replies: Sequence[str] = ()
    task: str = ""
    spec: Columns = field(default_factory=dict)
    timeout_seconds: float = 120.0

    def build_example_rows(self) -> list[Row]:
        """Build the rows, each with an id, a provenance and a group of two."""
        columns_of_rows = self.rows or list(generate_example_columns())
        return [
            Row(f"r{n}", dict(columns), Provenance("example.jsonl", n + 1, "CC0-1.0"), group=f"g{n // 2}")
            for n, columns in enumerate(columns_of_rows)
        ]

    def build_side_tables(self) -> dict[str, dict[str, Row]]:
        """Build the side tables of the case, and `documents`."""
        tables = {"documents": build_example_documents(), **self.tables}
        return {
            table: {name: Row(name, dict(columns), Provenance("table.jsonl", 1, "CC0-1.0"), table=table)
                    for name, columns in rows.items()}
            for table, rows in tables.items()
        }

    def build_example_answers(self, output_type: str, rows: Sequence[Row]) -> list[Answer]:
        """Build an answer to each row: those of the case or, for a common output type, right and wrong ones."""
        if self.answers:
            return [Answer(row.id, output) for row, output in zip(rows, self.answers, strict=False)]
        return [Answer(row.id, build_example_output(output_type, row, right=n % 3 != 0)) for n, row in enumerate(rows)]


def build_example_documents() -> dict[str, Columns]:
    """Build a corpus with a text for every word."""
    return {
        f"d{n}": {"text": f"{word} {NOISE_WORDS[n % len(NOISE_WORDS)]} {label}", "title": word}
        for n, (label, word) in enumerate((label, word) for label in LABELS for word in LABEL_WORDS[label])
    }


def generate_example_columns(count: int = EXAMPLE_ROW_COUNT) -> Iterator[dict[str, Any]]:
    """Yield rows with the columns of several tasks: a text and its label, a query and its documents, an answer."""
    draw, names = random.Random(11), [*build_example_documents()]
    labelled_words = [(label, n) for label in LABELS for n in range(len(LABEL_WORDS[label]))]
    for number in range(count):
        label, word = labelled_words[number % len(labelled_words)]
        relevant = f"d{labelled_words.index((label, word))}"
        others = draw.sample([name for name in names if name != relevant], 7)
        candidates = others[:5]
        candidates.insert(number % 4, relevant)
        signals = {
            name: [round(draw.random() + 0.3 * (candidate == relevant), 4) for candidate in candidates]
            for name in ("bm25", "cosine", "hybrid")
        }
        words = LABEL_WORDS[label]
        text = " ".join([words[word], *draw.sample(NOISE_WORDS, 3), words[(word + 1) % 7], f"n{number}"])
        yield {
            "text": text, "label": label, "query": text, "question": text, "prompt": text,
            "answer": f"it is {label}", "relevant": {relevant: 1}, "candidates": candidates, "signals": signals,
            "negatives": others[5:],
        }


def build_example_output(output_type: str, row: Row, *, right: bool) -> Any:
    """Build a right or wrong output of a common type. Raises ValueError for another type."""
    columns = row.columns
    if output_type == "labels":
        predicted = columns["label"] if right else LABELS[(LABELS.index(columns["label"]) + 1) % 3]
        return {label: 0.8 if label == predicted else 0.1 for label in LABELS}
    if output_type == LABEL_SETS:
        given = columns["label"] if isinstance(columns["label"], list) else [columns["label"]]
        return build_certain_output(LABELS, given if right else [name for name in LABELS if name not in given])
    if output_type == "ranking":
        relevant = set(columns["relevant"])
        return [float((name in relevant) == right) + 0.001 * n for n, name in enumerate(columns["candidates"])]
    if output_type == "text":
        return str(columns["answer"]) if right else f"not {columns['answer']}"
    raise ValueError(f"no example answers for the output type {output_type!r}; pass some with Case(answers=[…])")
