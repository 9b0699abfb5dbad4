"""Guesses about a user's data file: its fields and their values, and which fields fit the columns of a task."""

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
"""Number of records read from the start of a file."""
KIND_BY_SUFFIX = {".jsonl": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
SPLIT_WORDS = frozenset({"train", "training", "dev", "valid", "validation", "test", "testing"})
GROUP_NAME_HINTS = (
    "group", "family", "dialog", "conversation", "thread", "session", "customer", "user", "author", "doc", "document",
    "topic", "about", "source", "title", "db",
)
MAX_LABEL_VALUES = 60
"""Fields with more distinct values are not labels."""
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
"""Column of a task → common field names for it."""


@dataclass(frozen=True, slots=True)
class RecordFieldSummary:
    """One field: its type, counts of non-empty and distinct values, mean number of words, and an example."""

    name: str
    value_type: str
    non_empty_count: int
    distinct_count: int
    mean_words: float
    example: str


@dataclass(frozen=True, slots=True)
class RecordFileSummary:
    """Summary of a file. `is_complete`: all of it was read. `duplicate_count`: records that repeat an earlier text."""

    kind: str
    record_total: int
    is_complete: bool
    fields: tuple[RecordFieldSummary, ...]
    value_counts: Mapping[str, Mapping[str, int]]
    duplicate_count: int = 0


def summarise_record_file(file: Path) -> RecordFileSummary:
    """Summarise the first records of a file. Raises InputError for an unknown format or an empty file."""
    kind = KIND_BY_SUFFIX.get(file.suffix.lower())
    if kind is None:
        raise InputError(f"{file}: unknown file type; supported: {', '.join(KIND_BY_SUFFIX)}")
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    read = {"jsonl": _read_jsonl_records, "csv": _read_csv_records, "parquet": _read_parquet_records}[kind]
    records = list(itertools.islice(read(file), MAX_INSPECTED_RECORDS + 1))
    if not records:
        raise InputError(f"{file}: the file has no records")
    is_complete, records = len(records) <= MAX_INSPECTED_RECORDS, records[:MAX_INSPECTED_RECORDS]
    names = list(dict.fromkeys(name for record in records for name in record))
    fields = tuple(_summarise_record_field(name, [record.get(name) for record in records]) for name in names)
    value_counts = {
        field.name: dict(Counter(str(record.get(field.name)) for record in records).most_common())
        for field in fields if field.value_type == "text" and 2 <= field.distinct_count <= MAX_LABEL_VALUES
    }
    duplicates = _count_duplicate_records(records, fields)
    return RecordFileSummary(kind, len(records), is_complete, fields, value_counts, duplicates)


def _read_jsonl_records(file: Path) -> Iterator[Mapping[str, Any]]:
    return (record for _, record in read_numbered_jsonl(file))


def _read_csv_records(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            head = lines.readline()
            lines.seek(0)
            delimiter = max(",;|\t", key=head.count)  # the most frequent one of the header
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
    is_number = bool(kinds) and kinds <= {int, float, bool}
    value_type = "list" if kinds == {list} else "mapping" if kinds == {dict} else "number" if is_number else "text"
    texts = [str(value) for value in filled]
    words = sum(len(text.split()) for text in texts) / max(len(texts), 1)
    return RecordFieldSummary(name, value_type, len(texts), len(set(texts)), round(words, 1), next(iter(texts), ""))


def _count_duplicate_records(records: Sequence[Mapping[str, Any]], fields: Sequence[RecordFieldSummary]) -> int:
    """Count records whose longest text field repeats an earlier one, ignoring case and punctuation."""
    text_fields = (field for field in fields if field.value_type == "text")
    longest = max(text_fields, key=lambda field: field.mean_words, default=None)
    if longest is None:
        return 0
    texts = [normalise(str(record.get(longest.name) or "")) for record in records]
    return len(texts) - len(set(texts))


def infer_column_field(summary: RecordFileSummary, column: str, taken: Sequence[str]) -> str:
    """Return the field that fits a column of the task, by name or else by its values; empty for none."""
    free = [field for field in summary.fields if field.name not in taken and field.non_empty_count]
    by_name = {field.name.lower(): field.name for field in free}
    for word in (column, *COLUMN_SYNONYMS.get(column, ())):
        if word in by_name:
            return by_name[word]
    if column == "label":
        labels = [field for field in free if field.name in summary.value_counts and field.mean_words <= 6]
        return min(labels, key=lambda field: field.distinct_count).name if labels else ""
    if column in ("text", "question", "query") and free:
        return max((field for field in free if field.value_type == "text"), key=lambda field: field.mean_words).name
    return ""


def infer_split_field(summary: RecordFileSummary) -> str:
    """Return the field with values such as train, validation and test; empty for none."""
    for field in summary.fields:
        values = summary.value_counts.get(field.name, {})
        if values and {value.lower() for value in values} <= SPLIT_WORDS:
            return field.name
    return ""


def infer_group_field(summary: RecordFileSummary, taken: Sequence[str]) -> str:
    """Return the field whose values group several records, preferably one with a typical name; empty for none."""
    # A group repeats (at most 0.7 distinct values per row), is short, and is set in every record.
    groups = [
        field.name for field in summary.fields
        if field.name not in taken and field.value_type == "text" and field.mean_words <= 8
        and 4 < field.distinct_count <= 0.7 * field.non_empty_count and field.non_empty_count == summary.record_total
    ]
    named = [name for name in groups if any(word in name.lower() for word in GROUP_NAME_HINTS)]
    return next(iter(named or groups), "")


def infer_id_field(summary: RecordFileSummary) -> str:
    """Return the field that identifies a record, by its name and its distinct values; empty for none."""
    for field in summary.fields:
        name = field.name.lower()
        is_unique = field.distinct_count == field.non_empty_count == summary.record_total
        if is_unique and (name in ("id", "key", "uid", "guid") or name.endswith("_id")):
            return field.name
    return ""
