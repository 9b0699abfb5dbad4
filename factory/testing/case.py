"""What a plugin is tried on: the kit's own rows, tables and answers, or those that its author gives."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.api import Answer, Provenance, Row

Columns = Mapping[str, Any]
LABELS = ("animal", "plant", "stone")
LABEL_WORDS = {
    "animal": ("cat", "dog", "owl", "fish", "bear", "wolf", "hare"),
    "plant": ("fern", "oak", "moss", "rose", "reed", "pine", "leek"),
    "stone": ("slate", "flint", "chalk", "marble", "opal", "jade", "basalt"),
}
NOISE_WORDS = ("a", "the", "old", "small", "near", "under", "grey", "by", "one", "two", "of", "some", "wet", "cold", "far")
EXAMPLE_ROW_COUNT = 60


@dataclass(frozen=True, slots=True)
class Case:
    """How to try one plugin. Everything has a default that suits plugins over common columns.

    `fields` make it, `files` (name → content) lie in the spec's folder, `rows` are the columns of example rows and
    `tables` those of side tables (table → id → columns). `answers` are outputs for an eval to score, one for each row;
    `replies` are what a teacher or judge says, in turn.
    `task` and `spec` say in which spec its real build runs; `patience` is how many seconds one call may take.
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
        """The rows, each with an id, a group of two and a provenance."""
        given = self.rows or [dict(columns) for columns in generate_example_columns()]
        origin = Provenance("example.jsonl", licence="CC0-1.0")
        return [
            Row(f"r{n}", dict(columns), Provenance(origin.source, n + 1, origin.licence), group=f"g{n // 2}")
            for n, columns in enumerate(given)
        ]

    def build_side_tables(self) -> dict[str, dict[str, Row]]:
        """The side tables: those that were given, beside `documents`."""
        given = {"documents": build_example_documents(), **self.tables}
        return {
            table: {name: Row(name, dict(columns), Provenance("table.jsonl", 1, "CC0-1.0"), table=table)
                    for name, columns in rows.items()}
            for table, rows in given.items()
        }

    def build_example_answers(self, form: str, rows: Sequence[Row]) -> list[Answer]:
        """An answer to each row: those that were given or, of a common form, right ones and wrong ones by turns."""
        if self.answers:
            return [Answer(row.id, output) for row, output in zip(rows, self.answers, strict=False)]
        return [Answer(row.id, build_example_output(form, row, right=n % 3 != 0)) for n, row in enumerate(rows)]


def build_example_documents() -> dict[str, Columns]:
    """A corpus: a text for every word."""
    return {
        f"d{n}": {"text": f"{word} {NOISE_WORDS[n % len(NOISE_WORDS)]} {label}", "title": word}
        for n, (label, word) in enumerate((label, word) for label in LABELS for word in LABEL_WORDS[label])
    }


def generate_example_columns(count: int = EXAMPLE_ROW_COUNT) -> Iterator[dict[str, Any]]:
    """Rows with every column that several kinds know: a text and its label, a query and its documents, an answer."""
    draw, names = random.Random(11), [*build_example_documents()]
    places = [(label, n) for label in LABELS for n in range(len(LABEL_WORDS[label]))]
    for number in range(count):
        label, place = places[number % len(places)]
        right = f"d{places.index((label, place))}"
        others = draw.sample([name for name in names if name != right], 7)
        candidates = others[:5]
        candidates.insert(number % 4, right)
        signals = {
            name: [round(draw.random() + 0.3 * (one == right), 4) for one in candidates]
            for name in ("bm25", "cosine", "hybrid")
        }
        text = " ".join([LABEL_WORDS[label][place], *draw.sample(NOISE_WORDS, 3), LABEL_WORDS[label][(place + 1) % 7], f"n{number}"])
        yield {
            "text": text, "label": label, "query": text, "question": text, "prompt": text,
            "answer": f"it is {label}", "relevant": {right: 1}, "candidates": candidates, "signals": signals,
            "negatives": others[5:],
        }


def build_example_output(form: str, row: Row, *, right: bool) -> Any:
    """An answer of a common form; of another form, nothing can be made up. Raises ValueError then."""
    columns = row.columns
    if form == "labels":
        said = columns["label"] if right else LABELS[(LABELS.index(columns["label"]) + 1) % 3]
        return {label: 0.8 if label == said else 0.1 for label in LABELS}
    if form == "ranking":
        wanted = set(columns["relevant"])
        return [float((name in wanted) == right) + 0.001 * n for n, name in enumerate(columns["candidates"])]
    if form == "text":
        return str(columns["answer"]) if right else f"not {columns['answer']}"
    raise ValueError(f"the kit knows no answers of the form {form!r}; give some by Case(answers=[…])")
