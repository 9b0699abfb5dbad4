"""Rows to look at: some that stay, some of every reason for which others went, each beside the row it repeats."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from factory import identity
from factory.api import Row, Tables, Task
from factory.evidence import Evidence
from factory.portrait.steps import general, last

KEPT, EACH, DROPPED = 8, 2, 40
"""Rows shown of those that stay, of each reason for which others went, and of these together."""
PLAIN = 600
"""Letters of a row that are shown."""
FILES = (("freeze", "test.jsonl"), ("freeze", "validation.jsonl"))


@dataclass(frozen=True, slots=True)
class Sample:
    """One row as its task shows it. `step` and `why` say why it went; `twin` is what it repeats, with its text."""

    id: str
    text: str
    origin: str
    step: str = ""
    why: str = ""
    twin: str = ""
    twin_text: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `--json` lists it."""
        return asdict(self)


def kept(rows: Iterable[Row], task: Task, tables: Tables) -> list[Sample]:
    """Rows that stay, drawn by a hash of their ids: the same ones every time."""
    drawn = heapq.nsmallest(KEPT, rows, key=lambda row: identity.compute_key(["sample", row.id]))
    return [Sample(row.id, shown(row, task, tables), origin(row)) for row in drawn]


def dropped(evidence: Evidence, task: Task, tables: Tables) -> list[Sample]:
    """A few rows of every step and reason, in the order of the steps."""
    chosen = list(_chosen(evidence))
    twins = found(evidence, {entry["twin"] for entry in chosen if entry.get("twin")})
    samples = []
    for entry in chosen:
        row, twin = Row.from_json(entry["row"]), str(entry.get("twin", ""))
        text = shown(twins[twin], task, tables) if twin in twins else ""
        samples.append(Sample(
            row.id, shown(row, task, tables), origin(row), str(entry["step"]), str(entry["why"]), twin, text
        ))
    return samples


def _chosen(evidence: Evidence) -> Iterator[Mapping[str, Any]]:
    counts: dict[tuple[str, str], int] = {}
    given = 0
    for entry in evidence.lines(last(evidence), "dropped.jsonl"):
        reason = str(entry["step"]), general(str(entry["why"]))
        counts[reason] = counts.get(reason, 0) + 1
        if counts[reason] <= EACH and given < DROPPED:
            given += 1
            yield entry


def found(evidence: Evidence, wanted: set[str]) -> dict[str, Row]:
    """Rows by their ids, wherever they are: in training, frozen, or dropped."""
    got: dict[str, Row] = {}
    if not wanted:
        return got
    places = [(last(evidence), "train.jsonl"), *FILES]
    for stage, name in places:
        got |= {line["id"]: Row.from_json(line) for line in evidence.lines(stage, name) if line["id"] in wanted}
    gone = (entry["row"] for entry in evidence.lines(last(evidence), "dropped.jsonl"))
    return {line["id"]: Row.from_json(line) for line in gone if line["id"] in wanted} | got


def shown(row: Row, task: Task, tables: Tables) -> str:
    """A row as its task shows it; its texts when that fails."""
    try:
        text = task.describe_row(row, tables, None)
    except Exception:  # a stranger's task must not hide the rows
        text = "\n".join(f"{name}: {value}" for name, value in row.columns.items() if isinstance(value, str))
    return text if len(text) <= PLAIN else text[: PLAIN - 1] + "…"


def origin(row: Row) -> str:
    """Where a row comes from, in a few words."""
    made = row.provenance
    place = f"{made.source}:{made.line}" if made.line else made.source
    return f"{made.generator} ({place})" if made.generator and place else made.generator or place
