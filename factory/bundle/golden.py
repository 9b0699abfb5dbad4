"""Golden rows: a few frozen test rows, with the side-table rows they need, and the answers of the judged model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory import identity
from factory.api import Answer, Row, Tables
from factory.data.rows import read_jsonl, write_jsonl

GOLDEN_FILE = "factory/golden.jsonl"
GOLDEN_ROW_COUNT = 16


@dataclass(frozen=True, slots=True)
class GoldenRows:
    """The rows, the side-table rows that they mention, and the judged model's answers by row id."""

    rows: tuple[Row, ...]
    tables: Tables
    answers: Mapping[str, Answer]


def write_golden(bundle: Path, rows: Sequence[Row], tables: Tables, answers: Mapping[str, Any]) -> None:
    """Choose golden rows by the digest of their ids, which does not depend on their order, and write them."""
    chosen = sorted(rows, key=lambda row: identity.compute_key(row.id))[:GOLDEN_ROW_COUNT]
    lines: list[dict[str, Any]] = [{"row": row.to_json(), "output": answers[row.id]} for row in chosen]
    for _, entries in sorted(tables.items()):
        mentioned = {name for row in chosen for name in _iterate_strings(dict(row.columns)) if name in entries}
        lines += [{"row": entries[name].to_json()} for name in sorted(mentioned)]
    write_jsonl(bundle / GOLDEN_FILE, lines)


def _iterate_strings(value: Any) -> Iterator[str]:
    """Yield every string in a JSON value, keys included: any of them may be the id of a side-table row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, child in value.items():
            yield name
            yield from _iterate_strings(child)
    elif isinstance(value, (list, tuple)):
        for child in value:
            yield from _iterate_strings(child)


def read_golden(bundle: Path) -> GoldenRows:
    """Read the golden rows of a bundle."""
    rows: list[Row] = []
    tables: dict[str, dict[str, Row]] = {}
    answers: dict[str, Answer] = {}
    for line in read_jsonl(bundle / GOLDEN_FILE):
        row = Row.from_json(line["row"])
        if row.table:
            tables.setdefault(row.table, {})[row.id] = row
        else:
            rows.append(row)
            answers[row.id] = Answer(row.id, line["output"])
    return GoldenRows(tuple(rows), tables, answers)
