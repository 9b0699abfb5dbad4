"""Split off test and validation rows by group and record their digests; later stages cannot change them (frozen)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from factory import identity
from factory.api import TEST, TRAIN, VALIDATION, Row
from factory.data.rows import RowWriter, write_json
from factory.data.split import describe_small_split, resolve_split_part, split_rows
from factory.spec.fields import Split
from factory.stages.job import StageJob


def run(job: StageJob) -> None:
    """Write `train.jsonl`, `validation.jsonl`, `test.jsonl`, and `freeze.json` with counts and digests."""
    rows = job.open_input_rows("prepare", "rows.jsonl")
    settings = Split(**job.config["split"])
    parts = split_rows(rows, settings, job.config["text"])
    counts = {name: _write_frozen_part(job, name, rows, parts[name]) for name in (TRAIN, VALIDATION, TEST)}
    facts = {
        "counts": {name: len(part) for name, part in parts.items()},
        "groups": {name: groups for name, (groups, _, _) in counts.items()},
        "digests": {name: identity.digest_file(job.out / f"{name}.jsonl") for name in (VALIDATION, TEST)},
        "own_split": sum(own for _, own, _ in counts.values()),
    }
    drawn = [name for name in (TEST, VALIDATION) if not counts[name][2]]
    text, starved = describe_small_split({name: len(part) for name, part in parts.items()}, drawn, settings)
    if text:
        job.report.note(text, warning=starved)
    write_json(job.out / "freeze.json", facts)


def _write_frozen_part(job: StageJob, name: str, rows: Sequence[Row], indices: Iterable[int]) -> tuple[int, int, int]:
    """Write the rows of a part. Return its number of groups, of rows with a split of their own, and of those whose
    split is this part."""
    groups, own, claimed = set[str](), 0, 0
    with RowWriter(job.out / f"{name}.jsonl") as writer:
        for index in indices:
            row = rows[index]
            groups.add(row.group or row.id)  # a row without a group is its own group
            own += bool(row.split)
            claimed += bool(row.split) and resolve_split_part(row) == name
            writer.write(replace(row, split=name))
    return len(groups), own, claimed
