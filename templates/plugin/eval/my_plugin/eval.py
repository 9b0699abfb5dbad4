"""Another number: what a wrong answer costs, when some mistakes are worse than others."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Eval, Metric, ScoreJob, Scores


class MyPlugin(Eval):
    """How often the likeliest label is right, where confident mistakes cost more than hesitant ones."""

    kind = "my-plugin"
    contract = 1
    columns = ("label",)
    output_type = "labels"
    primary_metric = "weighed"
    metrics = (Metric("weighed", "1 for a right label; minus `cost` times its probability for a wrong one"),)

    cost: float = Field(1.0, ge=0, description="what a mistake costs that was made with probability 1")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            output = job.answers[row.id].output
            said = max(sorted(output), key=lambda label: output[label])
            right = said == str(row["label"])
            yield Scores(row.id, {"weighed": 1.0 if right else -self.cost * output[said]})
