"""The files and field names of a retrieval dataset in a folder, for a new spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from factory.text.jsonl import read_first_object

FILE_NAMES = {
    "corpus": ("corpus", "documents", "docs", "passages", "collection"),
    "queries": ("queries", "query", "questions", "topics"),
    "qrels": ("qrels", "judgements", "judgments", "relevance", "qrel"),
}
"""Field of the source → usual names of its file."""
FIELD_NAMES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "id": (("corpus", "queries"), ("id", "_id", "doc_id", "docid", "pid", "qid", "query_id")),
    "text": (("corpus", "queries"), ("text", "contents", "content", "body", "passage", "query", "question")),
    "query": (("qrels",), ("query_id", "query-id", "qid", "query")),
    "document": (("qrels",), ("doc_id", "corpus-id", "corpus_id", "docid", "pid", "doc", "document")),
    "grade": (("qrels",), ("relevance", "score", "grade", "rel", "label")),
}
"""Name of a field → the files that have it, and its usual names in collections."""
OPTIONAL_FIELDS = ("grade",)


def draft_collection(data: Path, defaults: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the files of the collection in a folder, or beside one of its files, and names of fields that differ from
    the defaults; {} if no file is named like one of a collection.

    Raises ValueError if a file or field is missing.
    """
    folder = data if data.is_dir() else data.parent
    known = {name for names in FILE_NAMES.values() for name in names}
    if not data.is_dir() and data.stem.lower() not in known:
        return {}
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jsonl", ".ndjson", ".json"))
    by_stem = {path.stem.lower(): path for path in paths}
    found = {field: _find_first(names, by_stem) for field, names in FILE_NAMES.items()}
    if not any(found.values()):
        return {}
    if missing := [field for field, name in found.items() if not name]:
        has = ", ".join(sorted(path.name for path in folder.iterdir())[:8])
        why = f"no file {missing[0]}.jsonl beside the others; it must be JSONL; there are {has}"
        raise ValueError(f"{folder.name}: {why}")
    files = {field: by_stem[name] for field, name in found.items()}
    fields = _draft_field_names(files, defaults)
    return {**files, **({"fields": fields} if fields else {})}


def _draft_field_names(files: Mapping[str, Path], defaults: Mapping[str, str]) -> dict[str, str]:
    """Return the names that differ from the defaults. Raises ValueError for a field that no usual name fits."""
    heads, fields = {name: read_first_object(path) for name, path in files.items()}, {}
    for field, (owners, names) in FIELD_NAMES.items():
        shared = set.intersection(*({*heads[owner]} for owner in owners))
        name = _find_first(names, shared)
        if not name and field not in OPTIONAL_FIELDS:
            has = "; ".join(f"{files[owner].name} has {', '.join(heads[owner]) or 'no fields'}" for owner in owners)
            raise ValueError(f"no field with the {field} was found: {has}; rename it to {defaults[field]!r}")
        if name and name != defaults[field]:
            fields[field] = name
    return fields


def _find_first(names: Iterable[str], known: Iterable[str]) -> str:
    available = set(known)
    return next((name for name in names if name in available), "")
