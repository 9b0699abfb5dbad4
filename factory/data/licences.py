"""The licences of training rows, including those of the rows they were made from, and the generators used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from factory.api.rows import Row

UNKNOWN_LICENCE = "unknown"


def count_licences(rows: Sequence[Row], others: Iterable[Row] = ()) -> dict[str, int]:
    """Return licence → number of rows; a row with several licences counts for each, one without for `unknown`.

    A synthetic row has its own licence and those of its ancestors, which are looked up in `rows` and `others`; a parent
    in a side table is named `table/id`.
    """
    known = {_format_row_reference(row): row for row in (*others, *rows)}
    counts = Counter(licence for row in rows for licence in _collect_licences(row, known) or {UNKNOWN_LICENCE})
    return dict(sorted(counts.items()))


def count_generators(rows: Iterable[Row]) -> dict[str, int]:
    """Return generator (with the model, if one was used) → number of synthetic rows."""
    counts: Counter[str] = Counter()
    for row in rows:
        if row.provenance.generator:
            model = row.provenance.detail.get("model")
            counts[f"{row.provenance.generator} ({model})" if model else row.provenance.generator] += 1
    return dict(sorted(counts.items()))


def _format_row_reference(row: Row) -> str:
    return f"{row.table}/{row.id}" if row.table else row.id


def _collect_licences(row: Row, known: Mapping[str, Row]) -> set[str]:
    """Return the licences of a row and all its ancestors."""
    licences, seen, queue = set[str](), {_format_row_reference(row)}, [row]
    while queue:
        origin = queue.pop().provenance
        licences |= {origin.licence} if origin.licence else set()
        # Parents are written by plugins: ignore unknown ids, and do not loop on cycles.
        parents = [name for name in origin.parents if name in known and name not in seen]
        seen.update(parents)
        queue += [known[name] for name in parents]
    return licences
