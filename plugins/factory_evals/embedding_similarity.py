"""Similarity of meaning to the right answer, by sentence embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from factory.api import Eval, Metric, ScoreJob, Scores
from factory_evals.text_answers import iterate_text_pairs


class EmbeddingSimilarity(Eval):
    """Cosine of the embeddings of the answer and the right answer, by `models.embedder`; 0 for a blank text.

    It forgives other words and hardly notices a changed number or a "not": show it beside a metric that does, and see
    `factory check --metric` before it decides. Unrelated texts of one trade do not reach 0.
    """

    kind = "embedding-similarity"
    output_type = "text"
    primary_metric = "similarity"
    metrics = (Metric("similarity", "cosine of the embeddings of the answer and the right answer"),)
    uses_task = True

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",)

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        rows, answers, references = zip(*iterate_text_pairs(job), strict=True)
        for row, cosine in zip(rows, compute_text_cosines(job, answers, references), strict=True):
            yield Scores(row.id, {"similarity": cosine})


def compute_text_cosines(job: ScoreJob, texts: Sequence[str], others: Sequence[str]) -> list[float]:
    """Compute the cosine of the embeddings of each text and the other one, by the embedder; 0 for a blank text."""
    vectors = job.kit.embed(job.models["embedder"], [*texts, *others], report=job.report)
    cosines = (vectors[: len(texts)] * vectors[len(texts) :]).sum(axis=1).tolist()
    return [cosine if text.strip() else 0.0 for text, cosine in zip(texts, cosines, strict=True)]
