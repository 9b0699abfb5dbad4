"""Baselines of a query rewriter: the unchanged question, and history and question together."""

from __future__ import annotations

from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class CopyBaseline(Contender):
    """Answers with the question as asked."""

    kind = "copy"
    columns = ("question",)
    output_type = "text"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        for row in job.rows:
            yield Answer(row.id, row["question"])


class ConcatenateBaseline(Contender):
    """Answers with the whole history and the question in one line: complete, but far too long."""

    kind = "concatenate"
    columns = ("history", "question")
    output_type = "text"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        for row in job.rows:
            yield Answer(row.id, " ".join([*row["history"], row["question"]]))
