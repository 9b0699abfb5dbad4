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

MAX_INSPECTED_RECORDS = 5000
"""Records that are read; of a larger file the first ones."""
KIND_BY_SUFFIX = {".jsonl": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
SPLIT_WORDS = frozenset({"train", "training", "dev", "valid", "validation", "test", "testing"})
GROUP_NAME_HINTS = ("group", "family", "dialog", "conversation", "thread", "session", "customer", "user", "author", "doc",
              "document", "topic", "about", "source", "title", "db")
MAX_LABEL_VALUES = 60
"""More different values than this are no labels."""
COLUMN_SYNONYMS: Mapping[str, Sequence[str]] = {
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
class RecordFieldSummary:
    """One field: how many records fill it, with what, how many different values, words in the mean, an example."""

    name: str
    value_type: str
    non_empty_count: int
    distinct_count: int
    mean_words: float
    example: str


@dataclass(frozen=True, slots=True)
class RecordFileSummary:
    """A file in short. `whole` says whether all of it was read; `repeats` counts records whose text stood before."""

    kind: str
    record_total: int
    is_complete: bool
    fields: tuple[RecordFieldSummary, ...]
    value_counts: Mapping[str, Mapping[str, int]]
    duplicate_count: int = 0

    def get_field_summary(self, name: str) -> RecordFieldSummary:
        """The field of a name."""
        return next(one for one in self.fields if one.name == name)


def summarise_record_file(file: Path) -> RecordFileSummary:
    """Read the first records of a file. Raises InputError for a form that is not known, or a file without records."""
    kind = KIND_BY_SUFFIX.get(file.suffix.lower())
    if kind is None:
        raise InputError(f"{file}: its form is not known by its name; {', '.join(KIND_BY_SUFFIX)} are")
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    records = list(itertools.islice(_iterate_file_records(file, kind), MAX_INSPECTED_RECORDS + 1))
    if not records:
        raise InputError(f"{file}: it has no records")
    whole, records = len(records) <= MAX_INSPECTED_RECORDS, records[:MAX_INSPECTED_RECORDS]
    names = list(dict.fromkeys(name for record in records for name in record))
    fields = tuple(_summarise_record_field(name, [record.get(name) for record in records]) for name in names)
    labels = {one.name: dict(Counter(str(record.get(one.name)) for record in records).most_common())
              for one in fields if one.value_type == "text" and 2 <= one.distinct_count <= MAX_LABEL_VALUES}
    return RecordFileSummary(kind, len(records), whole, fields, labels, _count_duplicate_records(records, fields))


def _iterate_file_records(file: Path, kind: str) -> Iterator[Mapping[str, Any]]:
    if kind == "jsonl":
        yield from (record for _, record in read_numbered_jsonl(file))
    elif kind == "csv":
        yield from _read_csv_records(file)
    else:
        yield from _read_parquet_records(file)


def _read_csv_records(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            head = lines.readline()
            lines.seek(0)
            delimiter = max(",;|\t", key=head.count)
            yield from csv.DictReader(lines, delimiter=delimiter)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: {error}") from error


def _read_parquet_records(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise InputError(f"{file}: reading Parquet needs pyarrow: pip install pyarrow") from error
    for batch in parquet.ParquetFile(file).iter_batches(1000):
        yield from batch.to_pylist()


def _summarise_record_field(name: str, values: Sequence[Any]) -> RecordFieldSummary:
    filled = [value for value in values if value not in (None, "", [], {})]
    kinds = {type(value) for value in filled}
    form = "list" if kinds == {list} else "mapping" if kinds == {dict} else "number" if kinds and kinds <= {
        int, float, bool} else "text"
    texts = [str(value) for value in filled]
    words = sum(len(text.split()) for text in texts) / len(texts) if texts else 0.0
    return RecordFieldSummary(name, form, len(filled), len(set(texts)), round(words, 1), texts[0] if texts else "")


def _count_duplicate_records(records: Sequence[Mapping[str, Any]], fields: Sequence[RecordFieldSummary]) -> int:
    """How many records repeat the longest text of one before, but for case and punctuation."""
    long = max((one for one in fields if one.value_type == "text"), key=lambda one: one.mean_words, default=None)
    if long is None:
        return 0
    texts = [normalise(str(record.get(long.name) or "")) for record in records]
    return len(texts) - len(set(texts))


def infer_column_field(seen: RecordFileSummary, column: str, taken: Sequence[str]) -> str:
    """The field that could play a column of the task: by its name, else by what it holds; empty for none."""
    free = [one for one in seen.fields if one.name not in taken and one.non_empty_count]
    named = {one.name.lower(): one.name for one in free}
    for word in (column, *COLUMN_SYNONYMS.get(column, ())):
        if word in named:
            return named[word]
    if column == "label":
        few = [one for one in free if one.name in seen.value_counts and one.mean_words <= 6]
        return min(few, key=lambda one: one.distinct_count).name if few else ""
    if column in ("text", "question", "query"):
        return max((one for one in free if one.value_type == "text"), key=lambda one: one.mean_words).name if free else ""
    return ""


def infer_split_field(seen: RecordFileSummary) -> str:
    """The field that says train, validation or test; empty for none."""
    for one in seen.fields:
        values = seen.value_counts.get(one.name, {})
        if values and {value.lower() for value in values} <= SPLIT_WORDS:
            return one.name
    return ""


def infer_group_field(seen: RecordFileSummary, taken: Sequence[str]) -> str:
    """The field whose values tie several records together; empty for none. Names decide before counts do."""
    tied = [one for one in seen.fields if one.name not in taken and one.value_type == "text"
            and 4 < one.distinct_count <= 0.7 * one.non_empty_count and one.non_empty_count == seen.record_total and one.mean_words <= 8]
    named = [one for one in tied if any(word in one.name.lower() for word in GROUP_NAME_HINTS)]
    return (named or tied)[0].name if (named or tied) else ""


def infer_id_field(seen: RecordFileSummary) -> str:
    """The field that names a record: different in each, and called so."""
    found = [one.name for one in seen.fields if one.distinct_count == one.non_empty_count == seen.record_total
             and (one.name.lower() in ("id", "key", "uid", "guid") or one.name.lower().endswith("_id"))]
    return found[0] if found else ""
