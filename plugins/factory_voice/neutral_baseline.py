"""Baseline of a brand voice: the neutral answer."""

from __future__ import annotations

from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class NeutralBaseline(Contender):
    """Answers with the neutral text: all of the meaning, none of the voice."""

    kind = "neutral"
    output_type = "text"
    columns = ("neutral",)

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        for row in job.rows:
            yield Answer(row.id, row["neutral"])
