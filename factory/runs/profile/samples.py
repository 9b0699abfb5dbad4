"""Rows to look at: some that stay, some of every reason for which others went, each beside the row it repeats."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from factory import identity
from factory.api import Row, Tables, Task
from factory.runs.profile.funnel import find_final_stage, generalise_reason
from factory.runs.run_outputs import RunOutputs

MAX_KEPT_SAMPLES, SAMPLES_PER_REASON, MAX_DROPPED_SAMPLES = 8, 2, 40
"""Rows shown of those that stay, of each reason for which others went, and of these together."""
MAX_SAMPLE_LETTERS = 600
"""Letters of a row that are shown."""
FROZEN_FILES = (("freeze", "test.jsonl"), ("freeze", "validation.jsonl"))


@dataclass(frozen=True, slots=True)
class RowSample:
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


def sample_kept_rows(rows: Iterable[Row], task: Task, tables: Tables) -> list[RowSample]:
    """Rows that stay, drawn by a hash of their ids: the same ones every time."""
    drawn = heapq.nsmallest(MAX_KEPT_SAMPLES, rows, key=lambda row: identity.compute_key(["sample", row.id]))
    return [RowSample(row.id, render_sample_text(row, task, tables), describe_origin(row)) for row in drawn]


def sample_dropped_rows(evidence: RunOutputs, task: Task, tables: Tables) -> list[RowSample]:
    """A few rows of every step and reason, in the order of the steps."""
    chosen = list(_choose_dropped_entries(evidence))
    twins = find_rows_by_id(evidence, {entry["twin"] for entry in chosen if entry.get("twin")})
    samples = []
    for entry in chosen:
        row, twin = Row.from_json(entry["row"]), str(entry.get("twin", ""))
        text = render_sample_text(twins[twin], task, tables) if twin in twins else ""
        samples.append(RowSample(
            row.id, render_sample_text(row, task, tables), describe_origin(row), str(entry["step"]), str(entry["why"]),
            twin, text
        ))
    return samples


def _choose_dropped_entries(evidence: RunOutputs) -> Iterator[Mapping[str, Any]]:
    counts: dict[tuple[str, str], int] = {}
    given = 0
    for entry in evidence.read_stage_lines(find_final_stage(evidence), "dropped.jsonl"):
        reason = str(entry["step"]), generalise_reason(str(entry["why"]))
        counts[reason] = counts.get(reason, 0) + 1
        if counts[reason] <= SAMPLES_PER_REASON and given < MAX_DROPPED_SAMPLES:
            given += 1
            yield entry


def find_rows_by_id(evidence: RunOutputs, wanted: set[str]) -> dict[str, Row]:
    """Rows by their ids, wherever they are: in training, frozen, or dropped."""
    got: dict[str, Row] = {}
    if not wanted:
        return got
    places = [(find_final_stage(evidence), "train.jsonl"), *FROZEN_FILES]
    for stage, name in places:
        got |= {
            line["id"]: Row.from_json(line) for line in evidence.read_stage_lines(stage, name) if line["id"] in wanted
        }
    gone = (entry["row"] for entry in evidence.read_stage_lines(find_final_stage(evidence), "dropped.jsonl"))
    return {line["id"]: Row.from_json(line) for line in gone if line["id"] in wanted} | got


def render_sample_text(row: Row, task: Task, tables: Tables) -> str:
    """A row as its task shows it; its texts when that fails."""
    try:
        text = task.describe_row(row, tables, None)
    except Exception:  # a stranger's task must not hide the rows
        text = "\n".join(f"{name}: {value}" for name, value in row.columns.items() if isinstance(value, str))
    return text if len(text) <= MAX_SAMPLE_LETTERS else text[: MAX_SAMPLE_LETTERS - 1] + "…"


def describe_origin(row: Row) -> str:
    """Where a row comes from, in a few words."""
    made = row.provenance
    place = f"{made.source}:{made.line}" if made.line else made.source
    return f"{made.generator} ({place})" if made.generator and place else made.generator or place
