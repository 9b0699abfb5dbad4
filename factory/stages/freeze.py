"""Take the test and validation rows first, by group, and hash them. Nothing later may add to them."""

from __future__ import annotations

from factory import identity
from factory.api import TEST, TRAIN, VALIDATION
from factory.data.rows import write_json, write_rows
from factory.data.split import split
from factory.spec import Split
from factory.stages.job import StageJob


def run(job: StageJob) -> None:
    """Write `train.jsonl`, `validation.jsonl`, `test.jsonl`, and `freeze.json` with counts and digests."""
    rows = job.rows("prepare", "rows.jsonl")
    parts = split(rows, Split(**job.config["split"]), job.config["text"])
    for name in (TRAIN, VALIDATION, TEST):
        write_rows(job.out / f"{name}.jsonl", parts[name])
    facts = {
        "counts": {name: len(part) for name, part in parts.items()},
        "groups": {name: len({row.group or row.id for row in part}) for name, part in parts.items()},
        "digests": {name: identity.digest_file(job.out / f"{name}.jsonl") for name in (VALIDATION, TEST)},
        "own_split": sum(1 for row in rows if row.split),
    }
    write_json(job.out / "freeze.json", facts)
