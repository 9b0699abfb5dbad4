"""Sample rows to inspect: kept rows, and dropped rows of every reason, with the rows that they duplicate."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from factory import identity
from factory.api import Row, Tables, Task
from factory.runs.profile.funnel import find_final_stage, generalise_reason
from factory.runs.run_outputs import RunOutputs

MAX_KEPT_SAMPLES, SAMPLES_PER_REASON, MAX_DROPPED_SAMPLES = 8, 2, 40
"""Number of kept rows, of dropped rows per reason, and of dropped rows in all."""
MAX_SAMPLE_LETTERS = 600
"""Length limit of a row's text."""


@dataclass(frozen=True, slots=True)
class RowSample:
    """One row as its task renders it. `step` and `why` explain why it was dropped; `twin` is the row it duplicates."""

    id: str
    text: str
    origin: str
    step: str = ""
    why: str = ""
    twin: str = ""
    twin_text: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def sample_kept_rows(rows: Iterable[Row], task: Task, tables: Tables) -> list[RowSample]:
    """Sample kept rows by a hash of their ids, so that the sample is always the same."""
    sample = heapq.nsmallest(MAX_KEPT_SAMPLES, rows, key=lambda row: identity.compute_key(["sample", row.id]))
    return [RowSample(row.id, render_sample_text(row, task, tables), describe_origin(row)) for row in sample]


def sample_dropped_rows(evidence: RunOutputs, task: Task, tables: Tables) -> list[RowSample]:
    """Return a few rows of every step and reason, in the order of the steps."""
    chosen = list(_choose_dropped_entries(evidence))
    twins = find_rows_by_id(evidence, {entry["twin"] for entry in chosen if entry.get("twin")})
    samples = []
    for entry in chosen:
        row, twin = Row.from_json(entry["row"]), str(entry.get("twin", ""))
        text = render_sample_text(twins[twin], task, tables) if twin in twins else ""
        shown, origin = render_sample_text(row, task, tables), describe_origin(row)
        samples.append(RowSample(row.id, shown, origin, str(entry["step"]), str(entry["why"]), twin, text))
    return samples


def _choose_dropped_entries(evidence: RunOutputs) -> Iterator[Mapping[str, Any]]:
    counts: Counter[tuple[str, str]] = Counter()
    total = 0
    for entry in evidence.read_stage_lines(find_final_stage(evidence), "dropped.jsonl"):
        reason = str(entry["step"]), generalise_reason(str(entry["why"]))
        counts[reason] += 1
        if counts[reason] <= SAMPLES_PER_REASON and total < MAX_DROPPED_SAMPLES:
            total += 1
            yield entry


def find_rows_by_id(evidence: RunOutputs, ids: set[str]) -> dict[str, Row]:
    """Return the training, frozen and dropped rows with these ids."""
    if not ids:
        return {}
    final = find_final_stage(evidence)
    lines = [entry["row"] for entry in evidence.read_stage_lines(final, "dropped.jsonl") if entry["row"]["id"] in ids]
    # Frozen rows come last: if an id is used twice, they take precedence.
    for stage, name in ((final, "train.jsonl"), ("freeze", "test.jsonl"), ("freeze", "validation.jsonl")):
        lines += [line for line in evidence.read_stage_lines(stage, name) if line["id"] in ids]
    return {line["id"]: Row.from_json(line) for line in lines}


def render_sample_text(row: Row, task: Task, tables: Tables) -> str:
    """Return a row as its task renders it, or its texts if that fails."""
    try:
        text = task.describe_row(row, tables, None)
    except Exception:  # a plugin's fault must not hide the rows
        text = "\n".join(f"{name}: {value}" for name, value in row.columns.items() if isinstance(value, str))
    return text if len(text) <= MAX_SAMPLE_LETTERS else text[: MAX_SAMPLE_LETTERS - 1] + "…"


def describe_origin(row: Row) -> str:
    """Return the generator and the source of a row, as in `paraphrase (rows.jsonl:12)`."""
    origin = row.provenance
    source = f"{origin.source}:{origin.line}" if origin.line else origin.source
    return f"{origin.generator} ({source})" if origin.generator and source else origin.generator or source
