"""Make training rows: each synthesizer sees the rows so far, and enriches them or adds to them."""

from __future__ import annotations

from typing import cast

from factory import identity
from factory.api import TRAIN, Row, RowsJob, Synthesizer
from factory.data.rows import write_json, write_rows
from factory.stages.job import StageJob, boundary


def run(job: StageJob) -> None:
    """Write `train.jsonl` and `synthesize.json` with what each step added and changed."""
    rows = _limited(job.rows("freeze", f"{TRAIN}.jsonl"), job.config["limit"], job.seed)
    common, base, task, steps = job.common(), job.base(), job.task(), []
    for block in job.config["synthesizers"]:
        synthesizer = cast(Synthesizer, job.make("synthesizer", block))
        known = {row.id: row for row in rows}
        with boundary(synthesizer):
            made = list(synthesizer.synthesize(RowsJob(**common, rows=rows, base=base, task=task)))
        added = sum(1 for row in made if row.id not in known)
        steps.append({"kind": synthesizer.kind, "added": added, "changed": len(made) - added})
        rows = list({**known, **{row.id: row for row in made}}.values())
    write_rows(job.out / f"{TRAIN}.jsonl", rows)
    write_json(job.out / "synthesize.json", {"steps": steps, "rows": len(rows)})


def _limited(rows: list[Row], limit: int, seed: int) -> list[Row]:
    """At most `limit` rows, drawn by a hash of seed and id, in their first order."""
    if not limit or len(rows) <= limit:
        return rows
    drawn = sorted(rows, key=lambda row: identity.key([seed, row.id]))[:limit]
    kept = {row.id for row in drawn}
    return [row for row in rows if row.id in kept]
