"""The history of one row: where it comes from, what made it and from what, what it passed, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from factory.api import Row
from factory.errors import InputError
from factory.review import ReviewDecision, RowContent
from factory.runs.profile.funnel import find_final_stage
from factory.runs.run_outputs import RunOutputs

TRAINING, DROPPED = "training", "dropped"
MAX_PARENT_DEPTH = 6
"""Generations of parents that are followed."""


@dataclass(frozen=True, slots=True)
class RowLineage:
    """One row. `state` is training, dropped, validation or test; `step` and `why` say why it went."""

    row: Row
    state: str
    key: str
    step: str = ""
    why: str = ""
    twin: str = ""
    decisions: Mapping[str, ReviewDecision] = field(default_factory=dict)
    parents: tuple[RowLineage, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `--json` gives it; `key` is the digest by which decisions know the row."""
        told = {"state": self.state, "key": self.key, "step": self.step, "why": self.why, "twin": self.twin}
        return {
            **self.row.to_json(), **{name: value for name, value in told.items() if value},
            "reviewed": {who: word.to_json() for who, word in self.decisions.items()},
            "parents": [parent.to_json() for parent in self.parents],
            "provenance": asdict(self.row.provenance),
        }


def trace_lineage(
    evidence: RunOutputs, name: str, content: RowContent, decided: Mapping[str, Mapping[str, ReviewDecision]]
) -> RowLineage:
    """The history of the row with this id, or whose id alone begins so. Raises InputError when there is no such row."""
    ids = _match_row_ids(evidence, name)
    if name not in ids and len(ids) != 1:
        raise InputError(_describe_unknown_row(name, ids))
    return _build_lineage(evidence, name if name in ids else ids[0], content, decided, MAX_PARENT_DEPTH)


def _build_lineage(
    evidence: RunOutputs, name: str, content: RowContent, decided: Mapping[str, Mapping[str, ReviewDecision]],
    depth: int
) -> RowLineage:
    found = next(_search_row_files(evidence, name), None)
    if found is None:
        raise InputError(_describe_unknown_row(name, []))
    row, state, entry = found
    key = content.compute_content_digest(row)
    named = [parent for parent in row.provenance.parents if parent != row.id] if depth else []
    parents = tuple(
        _build_lineage(evidence, parent, content, decided, depth - 1) for parent in named
        if next(_search_row_files(evidence, parent), None)
    )
    gone = {part: str(entry.get(part, "")) for part in ("step", "why", "twin")}
    return RowLineage(row, state, key, **gone, decisions=decided.get(key, {}), parents=parents)


def _list_row_files(evidence: RunOutputs) -> Iterator[tuple[str, Path]]:
    """State → the file that holds such rows, those that say most first."""
    final, freeze = evidence.find_stage_folder(find_final_stage(evidence)), evidence.find_stage_folder("freeze")
    files = [(TRAINING, final, "train.jsonl"), (DROPPED, final, "dropped.jsonl"),
             ("test", freeze, "test.jsonl"), ("validation", freeze, "validation.jsonl"),
             ("gathered, and left out by data.limit", freeze, "train.jsonl")]
    yield from ((state, folder / name) for state, folder, name in files if folder and (folder / name).is_file())


def _search_row_files(evidence: RunOutputs, name: str) -> Iterator[tuple[Row, str, Mapping[str, Any]]]:
    """The row of an id with its state, from each file that has it; lines without the id are not parsed."""
    mark = json.dumps(name, ensure_ascii=False).encode()
    for state, path in _list_row_files(evidence):
        with path.open("rb") as file:
            for line in file:
                if mark in line:
                    entry = json.loads(line)
                    row = entry["row"] if state == DROPPED else entry
                    if row["id"] == name:
                        yield Row.from_json(row), state, entry if state == DROPPED else {}


def _match_row_ids(evidence: RunOutputs, start: str) -> list[str]:
    """Ids that begin so, each once."""
    mark = f'"id":{json.dumps(start, ensure_ascii=False)[:-1]}'.encode()
    found: dict[str, None] = {}
    for state, path in _list_row_files(evidence):
        with path.open("rb") as file:
            for line in file:
                if mark in line:
                    entry = json.loads(line)
                    name = str((entry["row"] if state == DROPPED else entry)["id"])
                    found |= {name: None} if name.startswith(start) else {}
    return list(found)


def _describe_unknown_row(name: str, near: list[str]) -> str:
    if near:
        more = ", …" if len(near) > 5 else ""
        return f"{name!r} begins the ids of {len(near)} rows: {', '.join(near[:5])}{more}; say more of it"
    return f"no row {name!r}; `factory data SPEC` shows rows with their ids"
