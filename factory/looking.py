"""A look at a user's file: which fields its records have, what they hold, and which of them could play which part."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.api import normalise, read_numbered_jsonl
from factory.errors import InputError

LOOKED_AT = 5000
"""Records that are read; of a larger file the first ones."""
READERS = {".jsonl": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
SPLITS = frozenset({"train", "training", "dev", "valid", "validation", "test", "testing"})
LIKE_GROUP = ("group", "family", "dialog", "conversation", "thread", "session", "customer", "user", "author", "doc",
              "document", "topic", "about", "source", "title", "db")
MANY = 60
"""More different values than this are no labels."""
SYNONYMS: Mapping[str, Sequence[str]] = {
    "text": ("text", "sentence", "phrase", "utterance", "content", "body", "message", "input", "title", "question"),
    "label": ("label", "category", "class", "intent", "tag", "topic", "target", "type", "department", "sentiment"),
    "question": ("question", "query", "prompt", "input", "text", "message"),
    "query": ("query", "question", "search", "text"),
    "answer": ("answer", "response", "reply", "output", "completion", "target"),
    "neutral": ("neutral", "plain", "before", "original"), "sql": ("sql", "query", "statement"),
    "rewrite": ("rewrite", "rewritten", "standalone", "target"), "history": ("history", "context", "turns"),
    "db": ("db", "db_id", "database"), "claim": ("claim", "hypothesis", "statement"),
    "evidence": ("evidence", "premise", "context", "document"), "summary": ("summary", "highlights"),
}
"""Column of a task → how people call it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One field: how many records fill it, with what, how many different values, words in the mean, an example."""

    name: str
    form: str
    filled: int
    distinct: int
    words: float
    example: str


@dataclass(frozen=True, slots=True)
class Look:
    """A file in short. `whole` says whether all of it was read; `repeats` counts records whose text stood before."""

    kind: str
    count: int
    whole: bool
    fields: tuple[Seen, ...]
    labels: Mapping[str, Mapping[str, int]]
    repeats: int = 0

    def field(self, name: str) -> Seen:
        """The field of a name."""
        return next(one for one in self.fields if one.name == name)


def look(file: Path) -> Look:
    """Read the first records of a file. Raises InputError for a form that is not known, or a file without records."""
    kind = READERS.get(file.suffix.lower())
    if kind is None:
        raise InputError(f"{file}: its form is not known by its name; {', '.join(READERS)} are")
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    records = list(itertools.islice(_records(file, kind), LOOKED_AT + 1))
    if not records:
        raise InputError(f"{file}: it has no records")
    whole, records = len(records) <= LOOKED_AT, records[:LOOKED_AT]
    names = list(dict.fromkeys(name for record in records for name in record))
    fields = tuple(_seen(name, [record.get(name) for record in records]) for name in names)
    labels = {one.name: dict(Counter(str(record.get(one.name)) for record in records).most_common())
              for one in fields if one.form == "text" and 2 <= one.distinct <= MANY}
    return Look(kind, len(records), whole, fields, labels, _repeats(records, fields))


def _records(file: Path, kind: str) -> Iterator[Mapping[str, Any]]:
    if kind == "jsonl":
        yield from (record for _, record in read_numbered_jsonl(file))
    elif kind == "csv":
        yield from _table(file)
    else:
        yield from _parquet(file)


def _table(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            head = lines.readline()
            lines.seek(0)
            delimiter = max(",;|\t", key=head.count)
            yield from csv.DictReader(lines, delimiter=delimiter)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: {error}") from error


def _parquet(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise InputError(f"{file}: reading Parquet needs pyarrow: pip install pyarrow") from error
    for batch in parquet.ParquetFile(file).iter_batches(1000):
        yield from batch.to_pylist()


def _seen(name: str, values: Sequence[Any]) -> Seen:
    filled = [value for value in values if value not in (None, "", [], {})]
    kinds = {type(value) for value in filled}
    form = "list" if kinds == {list} else "mapping" if kinds == {dict} else "number" if kinds and kinds <= {
        int, float, bool} else "text"
    texts = [str(value) for value in filled]
    words = sum(len(text.split()) for text in texts) / len(texts) if texts else 0.0
    return Seen(name, form, len(filled), len(set(texts)), round(words, 1), texts[0] if texts else "")


def _repeats(records: Sequence[Mapping[str, Any]], fields: Sequence[Seen]) -> int:
    """How many records repeat the longest text of one before, but for case and punctuation."""
    long = max((one for one in fields if one.form == "text"), key=lambda one: one.words, default=None)
    if long is None:
        return 0
    texts = [normalise(str(record.get(long.name) or "")) for record in records]
    return len(texts) - len(set(texts))


def played(seen: Look, column: str, taken: Sequence[str]) -> str:
    """The field that could play a column of the task: by its name, else by what it holds; empty for none."""
    free = [one for one in seen.fields if one.name not in taken and one.filled]
    named = {one.name.lower(): one.name for one in free}
    for word in (column, *SYNONYMS.get(column, ())):
        if word in named:
            return named[word]
    if column == "label":
        few = [one for one in free if one.name in seen.labels and one.words <= 6]
        return min(few, key=lambda one: one.distinct).name if few else ""
    if column in ("text", "question", "query"):
        return max((one for one in free if one.form == "text"), key=lambda one: one.words).name if free else ""
    return ""


def split_field(seen: Look) -> str:
    """The field that says train, validation or test; empty for none."""
    for one in seen.fields:
        values = seen.labels.get(one.name, {})
        if values and {value.lower() for value in values} <= SPLITS:
            return one.name
    return ""


def group_field(seen: Look, taken: Sequence[str]) -> str:
    """The field whose values tie several records together; empty for none. Names decide before counts do."""
    tied = [one for one in seen.fields if one.name not in taken and one.form == "text"
            and 4 < one.distinct <= 0.7 * one.filled and one.filled == seen.count and one.words <= 8]
    named = [one for one in tied if any(word in one.name.lower() for word in LIKE_GROUP)]
    return (named or tied)[0].name if (named or tied) else ""


def id_field(seen: Look) -> str:
    """The field that names a record: different in each, and called so."""
    found = [one.name for one in seen.fields if one.distinct == one.filled == seen.count
             and (one.name.lower() in ("id", "key", "uid", "guid") or one.name.lower().endswith("_id"))]
    return found[0] if found else ""
