"""What a rewriter must beat: doing nothing, and giving the search everything."""

from __future__ import annotations

from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class CopyBaseline(Contender):
    """The question as it was asked."""

    kind = "copy"
    columns = ("question",)
    output_type = "text"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        for row in job.rows:
            yield Answer(row.id, row["question"])


class ConcatenateBaseline(Contender):
    """The whole history and the question in one line: nothing is missing, and much is too much."""

    kind = "concatenate"
    columns = ("history", "question")
    output_type = "text"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        for row in job.rows:
            yield Answer(row.id, " ".join([*row["history"], row["question"]]))
