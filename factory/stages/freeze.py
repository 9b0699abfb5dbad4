"""Take the test and validation rows first, by group, and hash them. Nothing later may add to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from factory import identity
from factory.api import TEST, TRAIN, VALIDATION, Row
from factory.data.rows import RowWriter, write_json
from factory.data.split import split_rows
from factory.spec.fields import Split
from factory.stages.job import StageJob


def run(job: StageJob) -> None:
    """Write `train.jsonl`, `validation.jsonl`, `test.jsonl`, and `freeze.json` with counts and digests."""
    rows = job.open_input_rows("prepare", "rows.jsonl")
    parts = split_rows(rows, Split(**job.config["split"]), job.config["text"])
    counts = {name: _write_frozen_part(job, name, rows, parts[name]) for name in (TRAIN, VALIDATION, TEST)}
    facts = {
        "counts": {name: len(part) for name, part in parts.items()},
        "groups": {name: groups for name, (groups, _) in counts.items()},
        "digests": {name: identity.digest_file(job.out / f"{name}.jsonl") for name in (VALIDATION, TEST)},
        "own_split": sum(own for _, own in counts.values()),
    }
    write_json(job.out / "freeze.json", facts)


def _write_frozen_part(job: StageJob, name: str, rows: Sequence[Row], places: Iterable[int]) -> tuple[int, int]:
    """Write the rows of a part; how many groups they are of, and how many brought their split."""
    groups, own = set[str](), 0
    with RowWriter(job.out / f"{name}.jsonl") as writer:
        for place in places:
            row = rows[place]
            groups.add(row.group or row.id)
            own += bool(row.split)
            writer.write(replace(row, split=name))
    return len(groups), own
