"""What a reranker must beat: the signals of the first stage, each as a ranking of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from factory.api import Answer, AnswerJob, Contender


class _FirstStageSignal(Contender):
    """Answers with one of the signals that the first stage left beside its candidates."""

    columns = ("candidates", "signals")
    output_type = "ranking"
    signal: ClassVar[str] = ""

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        for row in job.rows:
            yield Answer(row.id, list(row["signals"][self.signal]))


class Bm25Baseline(_FirstStageSignal):
    """BM25 alone: the words that query and document share."""

    kind = "bm25"
    signal = "bm25"


class CosineBaseline(_FirstStageSignal):
    """The cosine of the base's own sentence embeddings alone."""

    kind = "cosine"
    signal = "cosine"


class HybridBaseline(_FirstStageSignal):
    """The first stage's own order, of BM25 and cosine together."""

    kind = "hybrid"
    signal = "hybrid"
