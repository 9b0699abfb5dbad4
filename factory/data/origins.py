"""Under which licences training rows came, those made from others included, and what made those."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from factory.api.rows import Row

UNKNOWN = "unknown"


def licences(rows: Sequence[Row], others: Iterable[Row] = ()) -> dict[str, int]:
    """Licence → how many rows came under it, a row under several counted for each; `unknown` where none is stated.

    A made row comes under its own licence and those of its parents, and theirs, which are looked up in `rows` and
    `others`; a parent in a side table is named `table/id`.
    """
    known = {_name(row): row for row in (*others, *rows)}
    counts = Counter(licence for row in rows for licence in _licences(row, known) or {UNKNOWN})
    return dict(sorted(counts.items()))


def generators(rows: Iterable[Row]) -> dict[str, int]:
    """What made rows → how many: the generator and, where a model wrote them, the model."""
    counts: Counter[str] = Counter()
    for row in rows:
        if row.provenance.generator:
            model = row.provenance.detail.get("model")
            counts[f"{row.provenance.generator} ({model})" if model else row.provenance.generator] += 1
    return dict(sorted(counts.items()))


def _name(row: Row) -> str:
    return f"{row.table}/{row.id}" if row.table else row.id


def _licences(row: Row, known: Mapping[str, Row]) -> set[str]:
    """All licences above a row. Parents may be anything a plugin wrote: unknown ones and circles are passed over."""
    found, seen, left = set[str](), {_name(row)}, [row]
    while left:
        origin = left.pop().provenance
        found |= {origin.licence} if origin.licence else set()
        fresh = [name for name in origin.parents if name in known and name not in seen]
        seen.update(fresh)
        left += [known[name] for name in fresh]
    return found
