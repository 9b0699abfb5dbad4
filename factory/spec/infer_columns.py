"""Guesses about a user's data file: its fields and their values, and which fields fit the columns of a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.api import normalise
from factory.data.split import SPLIT_ALIASES
from factory.spec.record_files import MAX_INSPECTED_RECORDS, read_record_file

SPLIT_NAMES = ("split", "fold", "subset", "partition", "part", "set")
"""Usual names of a field with the split."""
GROUP_NAME_HINTS = (
    "group", "family", "dialog", "conversation", "thread", "session", "customer", "user", "author", "doc", "document",
    "topic", "about", "source", "title", "db",
)
LABEL_TYPES = ("text", "number")
MAX_LABEL_VALUES = 60
"""Fields with more distinct values are not labels."""
COLUMN_SYNONYMS: Mapping[str, Sequence[str]] = {
    "text": (
        "text", "sentence", "phrase", "utterance", "content", "body", "message", "input", "title", "question", "prompt",
    ),
    "label": ("label", "category", "class", "intent", "tag", "topic", "target", "type", "department", "sentiment"),
    "question": ("question", "query", "prompt", "input", "text", "message", "customer"),
    "query": ("query", "question", "search", "text"),
    "answer": ("answer", "response", "reply", "output", "completion", "target"),
    "neutral": ("neutral", "plain", "before", "original", "source"), "sql": ("sql", "query", "statement"),
    "rewrite": ("rewrite", "rewritten", "standalone", "target"), "history": ("history", "context", "turns"),
    "db": ("db", "db_id", "database"), "claim": ("claim", "hypothesis", "statement"),
    "evidence": ("evidence", "premise", "context", "document"), "summary": ("summary", "highlights"),
}
"""Column of a task → common field names for it."""


@dataclass(frozen=True, slots=True)
class RecordFieldSummary:
    """One field: its type, counts of non-empty and distinct values, mean number of words, and an example.

    `is_name`: all values are texts or whole numbers, as ids and groups must be. `null_count`: records without it.
    """

    name: str
    value_type: str
    non_empty_count: int
    distinct_count: int
    mean_words: float
    example: str
    is_name: bool = True
    null_count: int = 0


@dataclass(frozen=True, slots=True)
class RecordFileSummary:
    """Summary of a file. `is_complete`: all of it was read. `duplicate_count`: records that repeat an earlier text."""

    kind: str
    record_total: int
    is_complete: bool
    fields: tuple[RecordFieldSummary, ...]
    value_counts: Mapping[str, Mapping[str, int]]
    duplicate_count: int = 0
    encoding: str = ""


def summarise_record_file(file: Path) -> RecordFileSummary:
    """Summarise the first records of a file. Raises InputError for an unknown format or an empty file."""
    found = read_record_file(file)
    records = found.records
    is_complete, records = len(records) <= MAX_INSPECTED_RECORDS, records[:MAX_INSPECTED_RECORDS]
    names = list(dict.fromkeys(name for record in records for name in record))
    fields = tuple(_summarise_record_field(name, [record.get(name) for record in records]) for name in names)
    value_counts = {
        field.name: dict(Counter(str(record.get(field.name)) for record in records).most_common())
        for field in fields if field.value_type in LABEL_TYPES and 2 <= field.distinct_count <= MAX_LABEL_VALUES
    }
    duplicates = _count_duplicate_records(records, fields)
    return RecordFileSummary(found.kind, len(records), is_complete, fields, value_counts, duplicates, found.encoding)


def _summarise_record_field(name: str, values: Sequence[Any]) -> RecordFieldSummary:
    filled = [value for value in values if value not in (None, "", [], {})]
    kinds = {type(value) for value in filled}
    is_number = bool(kinds) and kinds <= {int, float, bool}
    value_type = "list" if kinds == {list} else "mapping" if kinds == {dict} else "number" if is_number else "text"
    texts = [str(value) for value in filled]
    words = sum(len(text.split()) for text in texts) / max(len(texts), 1)
    is_name = kinds <= {str, int}
    nulls = sum(value is None for value in values)
    example = next(iter(texts), "")
    return RecordFieldSummary(name, value_type, len(texts), len(set(texts)), round(words, 1), example, is_name, nulls)


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
        texts = [field for field in labels if field.value_type == "text"]
        return min(texts or labels, key=lambda field: field.distinct_count).name if labels else ""
    if column in ("text", "question", "query") and free:
        texts = [field for field in free if field.value_type == "text"]
        return max(texts, key=lambda field: field.mean_words).name if texts else ""
    return ""


def infer_split_field(summary: RecordFileSummary) -> str:
    """Return the field with values such as train, validation and test; empty for none."""
    for field in summary.fields:
        values = {value.strip().lower() for value in summary.value_counts.get(field.name, {})}
        if values and values <= SPLIT_ALIASES.keys() and field.non_empty_count == summary.record_total:
            return field.name
    return ""


def find_unusable_split(summary: RecordFileSummary) -> tuple[str, str]:
    """Return a field that looks like the split, and the reason why it is not used; empty texts for none."""
    for field in summary.fields:
        counts = summary.value_counts.get(field.name, {})
        values = {value.strip().lower() for value in counts}
        unknown = [value for value in counts if value.strip().lower() not in SPLIT_ALIASES]
        is_split = field.name.lower() in SPLIT_NAMES or {"train", "training"} & values
        if not is_split or not counts or len(unknown) == len(counts):
            continue
        if field.non_empty_count < summary.record_total:
            return field.name, "some records have none"
        if unknown:
            return field.name, f"its value {unknown[0]!r} is unknown; known: {', '.join(sorted(SPLIT_ALIASES))}"
    return "", ""


def infer_group_field(summary: RecordFileSummary, taken: Sequence[str]) -> str:
    """Return the field whose values group several records, preferably one with a typical name; empty for none."""
    # A group repeats (at most 0.7 distinct values per row), is short, and is set in every record.
    groups = [
        field.name for field in summary.fields
        if field.name not in taken and field.value_type == "text" and field.is_name and field.mean_words <= 8
        and 4 < field.distinct_count <= 0.7 * field.non_empty_count and field.non_empty_count == summary.record_total
    ]
    named = [name for name in groups if any(word in name.lower() for word in GROUP_NAME_HINTS)]
    return next(iter(named or groups), "")


def infer_id_field(summary: RecordFileSummary) -> str:
    """Return the field that identifies a record, by its name and its distinct values; empty for none."""
    for field in summary.fields:
        name = field.name.lower()
        is_unique = field.distinct_count == field.non_empty_count == summary.record_total
        if is_unique and field.is_name and (name in ("id", "key", "uid", "guid") or name.endswith("_id")):
            return field.name
    return ""
