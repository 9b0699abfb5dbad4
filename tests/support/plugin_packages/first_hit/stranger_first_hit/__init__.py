"""A retrieval metric: how far down must a reader go for the first document that helps?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median

from pydantic import Field

from factory.api import Eval, Metric, Plugin, ScoreJob, Scores, hookimpl


class FirstHit(Eval):
    """Reading effort: 1 when the first document is relevant, less for each one read before, 0 beyond `depth`."""

    kind = "first-hit"
    contract = 2
    columns = ("relevant", "candidates")
    output_type = "ranking"
    primary_metric = "effort"
    metrics = (
        Metric("effort", "share of `depth` that need not be read to come to a relevant document"),
        Metric("found", "whether one is among the first `depth` at all", binary=True),
    )

    depth: int = Field(10, ge=1, le=1000, description="documents that a reader is willing to look at")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            place = self._place(job, row.id, list(row["candidates"]), row["relevant"])
            yield Scores(row.id, {"effort": max(1 - place / self.depth, 0.0), "found": float(place < self.depth)})

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """The rank at which half of the readers are content."""
        places = [self._place(job, row.id, list(row["candidates"]), row["relevant"]) for row in job.rows]
        return {"median_rank": float(median(places)) + 1}

    def _place(self, job: ScoreJob, name: str, candidates: list[str], relevant: Mapping[str, float]) -> int:
        """How many documents stand before the first relevant one; `depth` when none is there."""
        scores = job.answers[name].output
        order = sorted(range(len(candidates)), key=lambda at: (-scores[at], at))
        return next((rank for rank, at in enumerate(order) if candidates[at] in relevant), self.depth)


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The metric."""
    return [FirstHit]
