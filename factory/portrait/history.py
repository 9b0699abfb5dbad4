"""The history of one row: where it comes from, what made it and from what, what it passed, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from factory.api import Row
from factory.errors import InputError
from factory.evidence import Evidence
from factory.portrait.steps import last
from factory.review import Content, Said

TRAINING, DROPPED = "training", "dropped"
DEPTH = 6
"""Generations of parents that are followed."""


@dataclass(frozen=True, slots=True)
class History:
    """One row. `state` is training, dropped, validation or test; `step` and `why` say why it went."""

    row: Row
    state: str
    key: str
    step: str = ""
    why: str = ""
    twin: str = ""
    said: Mapping[str, Said] = field(default_factory=dict)
    parents: tuple[History, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `--json` gives it; `key` is the digest by which decisions know the row."""
        told = {"state": self.state, "key": self.key, "step": self.step, "why": self.why, "twin": self.twin}
        return {
            **self.row.to_json(), **{name: value for name, value in told.items() if value},
            "reviewed": {who: word.to_json() for who, word in self.said.items()},
            "parents": [parent.to_json() for parent in self.parents],
            "provenance": asdict(self.row.provenance),
        }


def history(evidence: Evidence, name: str, content: Content, decided: Mapping[str, Mapping[str, Said]]) -> History:
    """The history of the row with this id, or whose id alone begins so. Raises InputError when there is no such row."""
    ids = _ids(evidence, name)
    if name not in ids and len(ids) != 1:
        raise InputError(_unknown(name, ids))
    return _told(evidence, name if name in ids else ids[0], content, decided, DEPTH)


def _told(
    evidence: Evidence, name: str, content: Content, decided: Mapping[str, Mapping[str, Said]], depth: int
) -> History:
    found = next(_found(evidence, name), None)
    if found is None:
        raise InputError(_unknown(name, []))
    row, state, entry = found
    key = content.digest(row)
    named = [parent for parent in row.provenance.parents if parent != row.id] if depth else []
    parents = tuple(
        _told(evidence, parent, content, decided, depth - 1) for parent in named if next(_found(evidence, parent), None)
    )
    gone = {part: str(entry.get(part, "")) for part in ("step", "why", "twin")}
    return History(row, state, key, **gone, said=decided.get(key, {}), parents=parents)


def _places(evidence: Evidence) -> Iterator[tuple[str, Path]]:
    """State → the file that holds such rows, those that say most first."""
    final, freeze = evidence.folder(last(evidence)), evidence.folder("freeze")
    files = [(TRAINING, final, "train.jsonl"), (DROPPED, final, "dropped.jsonl"),
             ("test", freeze, "test.jsonl"), ("validation", freeze, "validation.jsonl"),
             ("gathered, and left out by data.limit", freeze, "train.jsonl")]
    yield from ((state, folder / name) for state, folder, name in files if folder and (folder / name).is_file())


def _found(evidence: Evidence, name: str) -> Iterator[tuple[Row, str, Mapping[str, Any]]]:
    """The row of an id with its state, from each file that has it; lines without the id are not parsed."""
    mark = json.dumps(name, ensure_ascii=False).encode()
    for state, path in _places(evidence):
        with path.open("rb") as file:
            for line in file:
                if mark in line:
                    entry = json.loads(line)
                    row = entry["row"] if state == DROPPED else entry
                    if row["id"] == name:
                        yield Row.from_json(row), state, entry if state == DROPPED else {}


def _ids(evidence: Evidence, start: str) -> list[str]:
    """Ids that begin so, each once."""
    mark = f'"id":{json.dumps(start, ensure_ascii=False)[:-1]}'.encode()
    found: dict[str, None] = {}
    for state, path in _places(evidence):
        with path.open("rb") as file:
            for line in file:
                if mark in line:
                    entry = json.loads(line)
                    name = str((entry["row"] if state == DROPPED else entry)["id"])
                    found |= {name: None} if name.startswith(start) else {}
    return list(found)


def _unknown(name: str, near: list[str]) -> str:
    if near:
        more = ", …" if len(near) > 5 else ""
        return f"{name!r} begins the ids of {len(near)} rows: {', '.join(near[:5])}{more}; say more of it"
    return f"no row {name!r}; `factory data SPEC` shows rows with their ids"
