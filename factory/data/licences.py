"""Under which licences training rows came, those made from others included, and what made those."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from factory.api.rows import Row

UNKNOWN_LICENCE = "unknown"


def count_licences(rows: Sequence[Row], others: Iterable[Row] = ()) -> dict[str, int]:
    """Licence → how many rows came under it, a row under several counted for each; `unknown` where none is stated.

    A made row comes under its own licence and those of its parents, and theirs, which are looked up in `rows` and
    `others`; a parent in a side table is named `table/id`.
    """
    known = {_format_row_reference(row): row for row in (*others, *rows)}
    counts = Counter(licence for row in rows for licence in _collect_licences(row, known) or {UNKNOWN_LICENCE})
    return dict(sorted(counts.items()))


def count_generators(rows: Iterable[Row]) -> dict[str, int]:
    """What made rows → how many: the generator and, where a model wrote them, the model."""
    counts: Counter[str] = Counter()
    for row in rows:
        if row.provenance.generator:
            model = row.provenance.detail.get("model")
            counts[f"{row.provenance.generator} ({model})" if model else row.provenance.generator] += 1
    return dict(sorted(counts.items()))


def _format_row_reference(row: Row) -> str:
    return f"{row.table}/{row.id}" if row.table else row.id


def _collect_licences(row: Row, known: Mapping[str, Row]) -> set[str]:
    """All licences above a row. Parents may be anything a plugin wrote: unknown ones and circles are passed over."""
    found, seen, left = set[str](), {_format_row_reference(row)}, [row]
    while left:
        origin = left.pop().provenance
        found |= {origin.licence} if origin.licence else set()
        fresh = [name for name in origin.parents if name in known and name not in seen]
        seen.update(fresh)
        left += [known[name] for name in fresh]
    return found
