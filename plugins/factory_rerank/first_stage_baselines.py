"""Baselines of rerankers: rankings by the signals of the first stage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from factory.api import Answer, AnswerJob, Contender


class _FirstStageSignal(Contender):
    """Ranks by one of the signals that the first stage stores beside its candidates."""

    columns = ("candidates", "signals")
    output_type = "ranking"
    signal: ClassVar[str] = ""

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        for row in job.rows:
            yield Answer(row.id, list(row["signals"][self.signal]))


class Bm25Baseline(_FirstStageSignal):
    """Ranks by BM25: the words that query and document share."""

    kind = "bm25"
    signal = "bm25"


class CosineBaseline(_FirstStageSignal):
    """Ranks by the cosine of sentence embeddings by the untrained base."""

    kind = "cosine"
    signal = "cosine"


class HybridBaseline(_FirstStageSignal):
    """Ranks by the hybrid of BM25 and cosine: the order of the first stage."""

    kind = "hybrid"
    signal = "hybrid"
