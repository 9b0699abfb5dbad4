"""The lineage of one row: its provenance, its parents, the step that dropped it, and the reviewers' decisions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from factory.api import Row
from factory.errors import InputError
from factory.review import ReviewDecision, RowContent
from factory.runs.profile.funnel import find_final_stage
from factory.runs.run_outputs import RunOutputs

TRAINING, DROPPED = "training", "dropped"
MAX_PARENT_DEPTH = 6
"""Number of generations of parents to follow."""


@dataclass(frozen=True, slots=True)
class RowLineage:
    """One row. `state` is training, dropped, validation or test; `step` and `why` explain why it was dropped, `twin`
    is the row that it duplicates, and `key` the digest by which decisions refer to it.
    """

    row: Row
    state: str
    key: str
    step: str = ""
    why: str = ""
    twin: str = ""
    decisions: Mapping[str, ReviewDecision] = field(default_factory=dict)
    parents: tuple[RowLineage, ...] = ()

    def to_json(self) -> dict[str, Any]:
        facts = {"state": self.state, "key": self.key, "step": self.step, "why": self.why, "twin": self.twin}
        return {
            **self.row.to_json(), **{name: value for name, value in facts.items() if value},
            "reviewed": {reviewer: decision.to_json() for reviewer, decision in self.decisions.items()},
            "parents": [parent.to_json() for parent in self.parents], "provenance": asdict(self.row.provenance),
        }


def trace_lineage(
    evidence: RunOutputs, name: str, content: RowContent, decided: Mapping[str, Mapping[str, ReviewDecision]]
) -> RowLineage:
    """Return the lineage of the row with this id or id prefix. Raises InputError if no row matches, or several do."""
    ids = list(dict.fromkeys(row["id"] for row, _, _ in _search_row_files(evidence, name, is_prefix=True)))
    if name not in ids and len(ids) > 1:
        more = ", …" if len(ids) > 5 else ""
        raise InputError(f"{name!r} matches {len(ids)} rows: {', '.join(ids[:5])}{more}; give more of the id")
    lineage = _build_lineage(evidence, name if name in ids else "".join(ids), content, decided, MAX_PARENT_DEPTH)
    if lineage is None:
        raise InputError(f"no row {name!r}; `factory data SPEC` shows rows with their ids")
    return lineage


def _build_lineage(
    evidence: RunOutputs, name: str, content: RowContent, decided: Mapping[str, Mapping[str, ReviewDecision]],
    depth: int,
) -> RowLineage | None:
    match = next(_search_row_files(evidence, name), None)
    if match is None:
        return None
    values, state, entry = match
    row = Row.from_json(values)
    key = content.compute_content_digest(row)
    names = [parent for parent in row.provenance.parents if parent != row.id] if depth else []
    parents = [_build_lineage(evidence, parent, content, decided, depth - 1) for parent in names]
    removal = {name: str(entry.get(name, "")) for name in ("step", "why", "twin")}
    return RowLineage(row, state, key, **removal, decisions=decided.get(key, {}), parents=tuple(filter(None, parents)))


def _search_row_files(
    evidence: RunOutputs, name: str, *, is_prefix: bool = False
) -> Iterator[tuple[dict[str, Any], str, Mapping[str, Any]]]:
    """Yield (row, state, dropped entry) from each file that has the id, or ids with the prefix."""
    final, freeze = evidence.find_intact_folder(find_final_stage(evidence)), evidence.find_intact_folder("freeze")
    files = [  # the last one also has the rows of the others: what is found there alone was left out
        (TRAINING, final, "train.jsonl"),
        (DROPPED, final, "dropped.jsonl"),
        ("test", freeze, "test.jsonl"),
        ("validation", freeze, "validation.jsonl"),
        ("left out by data.limit", freeze, "train.jsonl"),
    ]
    # Parsing only lines that contain the id makes the search several times faster.
    pattern = f'"id":{json.dumps(name, ensure_ascii=False)[: -1 if is_prefix else None]}'.encode()
    paths = [(state, folder / file) for state, folder, file in files if folder and (folder / file).is_file()]
    for state, path in paths:
        with path.open("rb") as lines:
            for entry in (json.loads(line) for line in lines if pattern in line):
                row = entry["row"] if state == DROPPED else entry
                if row["id"] == name or (is_prefix and row["id"].startswith(name)):
                    yield row, state, entry if state == DROPPED else {}
