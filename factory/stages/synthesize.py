"""Run the synthesizers in order: each reads the training rows so far, and changes or adds rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

from factory import identity
from factory.api import TRAIN, Row, RowsJob, Synthesizer
from factory.data.rows import open_rows, write_json, write_rows
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values

TRAIN_FILE = f"{TRAIN}.jsonl"


def run(job: StageJob) -> None:
    """Write `train.jsonl`, and `synthesize.json` with the rows that each step added and changed."""
    latest = job.inputs["freeze"] / TRAIN_FILE
    rows = job.open_input_rows("freeze", TRAIN_FILE)
    if 0 < job.config["limit"] < len(rows):
        latest = job.work / "limited.jsonl"
        write_rows(latest, _sample_row_limit(rows, job.config["limit"], job.seed))
    steps, blocks = [], job.config["synthesizers"]
    fields = {**job.build_job_fields(), "base": job.load_base(), "task": job.load_task()} if blocks else {}
    for number, block in enumerate(blocks, 1):
        synthesizer = cast(Synthesizer, job.make_plugin("synthesizer", block))
        # Steps pass files, not lists: rows need not fit into memory.
        output = job.work / f"step-{number}.jsonl"
        steps.append(_run_synthesis_step(synthesizer, fields, latest, output))
        latest = output
    shutil.copyfile(latest, job.out / TRAIN_FILE)
    write_json(job.out / "synthesize.json", {"steps": steps, "rows": len(open_rows(job.out / TRAIN_FILE))})


def _run_synthesis_step(
    synthesizer: Synthesizer, fields: Mapping[str, Any], source: Path, output: Path
) -> dict[str, Any]:
    """Run a synthesizer on the rows of a file, write all rows to another, and return the counts."""
    rows = open_rows(source)
    with guard_plugin_call(synthesizer, rows, fields["tables"]):
        yielded = synthesizer.synthesize(RowsJob(**fields, rows=rows))
        by_id = {row.id: row for row in iterate_checked_values(synthesizer, "synthesize", yielded, Row)}
    count = len(by_id)
    # Rows with their replacements first, then the new ones, which the first generator leaves in `by_id`.
    replaced = (by_id.pop(row.id, row) for row in rows)
    added = write_rows(output, chain(replaced, by_id.values())) - len(rows)
    return {"kind": synthesizer.kind, "added": added, "changed": count - added}


def _sample_row_limit(rows: Sequence[Row], limit: int, seed: int) -> Iterator[Row]:
    """Sample `limit` rows by a hash of seed and id, keeping their order."""
    # By hash, not by position: a row added to the source changes the sample by one row at most.
    hashes = [identity.compute_key([seed, row.id]) for row in rows]
    sample = sorted(range(len(hashes)), key=hashes.__getitem__)[:limit]
    yield from (rows[index] for index in sorted(sample))
