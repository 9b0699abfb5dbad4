"""One contender answers the frozen test rows."""

from __future__ import annotations

from typing import cast

from factory.api import TEST, TRAIN, VALIDATION, AnswerJob, Contender
from factory.data.rows import write_json, write_jsonl
from factory.errors import PluginError
from factory.stages.job import StageJob, boundary


def run(job: StageJob) -> None:
    """Write `answers.jsonl`, one line a test row in their order, and `answer.json`."""
    contender = cast(Contender, job.make("contender", job.config["contender"]))
    rows = job.rows("freeze", f"{TEST}.jsonl")
    adapter = job.inputs["train"] / "adapter" if contender.uses_adapter else None
    with boundary(contender):
        answers = list(contender.answer(AnswerJob(
            **job.common(), rows=rows,
            train=job.rows("curate", f"{TRAIN}.jsonl"), validation=job.rows("freeze", f"{VALIDATION}.jsonl"),
            base=job.base(), task=job.task(), objective=job.objective(), adapter=adapter,
        )))
    by_id = {answer.id: answer for answer in answers}
    missing = [row.id for row in rows if row.id not in by_id]
    if missing or len(answers) != len(rows):
        raise PluginError(
            f"contender {contender.kind!r}: {len(answers)} answers to {len(rows)} rows"
            + (f"; none to {missing[0]!r}" if missing else "")
        )
    write_jsonl(job.out / "answers.jsonl", ({"id": row.id, "output": by_id[row.id].output} for row in rows))
    write_json(job.out / "answer.json", {"contender": contender.kind, "rows": len(rows)})
