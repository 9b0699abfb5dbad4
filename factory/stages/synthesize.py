"""Make training rows: each synthesizer sees the rows so far, and enriches them or adds to them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from factory import identity
from factory.api import TRAIN, Row, RowsJob, Synthesizer
from factory.data.rows import open_rows, write_json, write_rows
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values

TRAIN_FILE = f"{TRAIN}.jsonl"


def run(job: StageJob) -> None:
    """Write `train.jsonl` and `synthesize.json` with what each step added and changed."""
    latest = job.inputs["freeze"] / TRAIN_FILE
    rows = job.open_input_rows("freeze", TRAIN_FILE)
    if 0 < job.config["limit"] < len(rows):
        latest = job.work / "limited.jsonl"
        write_rows(latest, _sample_row_limit(rows, job.config["limit"], job.seed))
    steps, blocks = [], job.config["synthesizers"]
    given = {**job.build_job_fields(), "base": job.load_base(), "task": job.load_task()} if blocks else {}
    for number, block in enumerate(blocks, 1):
        synthesizer, after = cast(Synthesizer, job.make_plugin("synthesizer", block)), job.work / f"step-{number}.jsonl"
        steps.append(_run_synthesis_step(synthesizer, given, latest, after))
        latest = after
    shutil.copyfile(latest, job.out / TRAIN_FILE)
    write_json(job.out / "synthesize.json", {"steps": steps, "rows": len(open_rows(job.out / TRAIN_FILE))})


def _run_synthesis_step(
    synthesizer: Synthesizer, given: Mapping[str, Any], before: Path, after: Path
) -> dict[str, Any]:
    """Have one synthesizer read the rows of a file, and write them with its own to another; what it did."""
    rows = open_rows(before)
    with guard_plugin_call(synthesizer, rows, given["tables"]):
        yielded = synthesizer.synthesize(RowsJob(**given, rows=rows))
        made = {row.id: row for row in iterate_checked_values(synthesizer, "synthesize", yielded, Row)}
    changed = len(made)
    added = write_rows(after, _merge_synthesized_rows(rows, made)) - len(rows)
    return {"kind": synthesizer.kind, "added": added, "changed": changed - added}


def _merge_synthesized_rows(rows: Sequence[Row], made: dict[str, Row]) -> Iterator[Row]:
    """The rows in their order, those made anew in the place of their namesakes, then the new ones. Empties `made`."""
    for row in rows:
        yield made.pop(row.id, row)
    yield from made.values()


def _sample_row_limit(rows: Sequence[Row], limit: int, seed: int) -> Iterator[Row]:
    """At most `limit` rows, drawn by a hash of seed and id, in their first order."""
    order = [identity.compute_key([seed, row.id]) for row in rows]
    drawn = sorted(range(len(order)), key=order.__getitem__)[:limit]
    yield from (rows[place] for place in sorted(drawn))
