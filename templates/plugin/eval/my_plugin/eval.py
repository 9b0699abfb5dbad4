"""An eval: accuracy in which confident mistakes cost more than hesitant ones."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Eval, Metric, ScoreJob, Scores


class MyPlugin(Eval):
    """Accuracy of the most likely label, in which confident mistakes cost more than hesitant ones."""

    kind = "my-plugin"
    contract = 2
    columns = ("label",)
    output_type = "labels"
    primary_metric = "weighted"
    metrics = (Metric("weighted", "1 for the right label; minus `cost` times its probability for a wrong one"),)

    cost: float = Field(1.0, ge=0, description="cost of a mistake with probability 1")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            output = job.answers[row.id].output
            predicted = max(sorted(output), key=lambda label: output[label])
            right = predicted == str(row["label"])
            yield Scores(row.id, {"weighted": 1.0 if right else -self.cost * output[predicted]})
