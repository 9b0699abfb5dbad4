"""Ranking metrics over all relevant documents, including those missing from the candidates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from factory.api import Answer, Eval, Metric, Row, ScoreJob, Scores

RANK_CUTOFF = 10


class RankingMetrics(Eval):
    """nDCG@10, MRR@10 and accuracy@1 of a ranking of candidates, with recall and the best possible nDCG@10.

    Gains are linear, as in trec_eval's `ndcg_cut` (discount log2(rank + 1)). The ideal ranking contains all relevant
    documents, so that those missed by the first stage count. Equal scores keep the order of the first stage.
    """

    kind = "ranking"
    columns = ("relevant", "candidates")
    output_type = "ranking"
    primary_metric = "ndcg@10"
    metrics = (
        Metric("ndcg@10", "normalised discounted cumulative gain of the first ten documents"),
        Metric("mrr@10", "reciprocal rank of the first relevant document; 0 beyond the tenth"),
        Metric("accuracy@1", "share of queries whose first document is relevant", binary=True),
        Metric("recall", "share of relevant documents among the candidates; equal for all contenders"),
        Metric("ceiling", "nDCG@10 of a perfect ranking of the candidates; equal for all contenders"),
    )

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            answer = job.answers.get(row.id)
            if answer is None:
                raise ValueError(f"row {row.id!r} has no answer")
            ranking = rank_candidates(row, answer)
            try:
                values = compute_ranking_metrics(ranking, row["relevant"])
            except ValueError as error:
                raise ValueError(f"row {row.id!r}: {error}") from error
            yield Scores(row.id, values)


def rank_candidates(row: Row, answer: Answer) -> list[str]:
    """Return the candidates of a row, the highest score first; equal scores keep their order."""
    candidates: Sequence[str] = row["candidates"]
    scores = answer.output
    if len(scores) != len(candidates):
        raise ValueError(f"row {row.id!r}: expected one score per candidate ({len(candidates)}), got {len(scores)}")
    if not all(math.isfinite(score) for score in scores):
        raise ValueError(f"row {row.id!r}: a score is not a finite number")
    order = sorted(range(len(candidates)), key=lambda i: (-scores[i], i))
    return [candidates[i] for i in order]


def compute_ranking_metrics(ranking: Sequence[str], relevant: Mapping[str, float]) -> dict[str, float]:
    """Return all metrics of a ranking; `relevant` maps documents to grades, of which those above 0 count.

    Raises ValueError if no document is relevant, or if the ranking has one twice.
    """
    if len(set(ranking)) < len(ranking):
        twice = next(document for document in ranking if ranking.count(document) > 1)
        raise ValueError(f"the candidates have {twice!r} twice")
    grades = {document: float(grade) for document, grade in relevant.items() if grade > 0}
    if not grades:
        raise ValueError("no document is relevant; remove the row")
    gains = [grades.get(document, 0.0) for document in ranking]
    ideal = compute_dcg(sorted(grades.values(), reverse=True))
    first = next((rank for rank, gain in enumerate(gains[:RANK_CUTOFF], 1) if gain > 0), 0)
    return {
        "ndcg@10": compute_dcg(gains) / ideal,
        "mrr@10": 1 / first if first else 0.0,
        "accuracy@1": float(first == 1),
        "recall": sum(gain > 0 for gain in gains) / len(grades),
        "ceiling": compute_dcg(sorted(gains, reverse=True)) / ideal,
    }


def compute_dcg(gains: Sequence[float]) -> float:
    """Return the discounted cumulative gain of the first ten documents."""
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[:RANK_CUTOFF], 1))
