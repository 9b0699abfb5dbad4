"""The toy task, its source, a baseline and an eval."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from factory.api import (
    Answer,
    AnswerJob,
    Contender,
    Eval,
    Finding,
    Input,
    Job,
    Metric,
    Provenance,
    Row,
    RowsJob,
    ScoreJob,
    Scores,
    Source,
    Task,
)


class Labelled(Source):
    """Reads `{text, label, group}` objects, one a line."""

    kind = "labelled"
    output_columns = ("text", "label")
    file: Annotated[Path, Input()]

    def iter_rows(self, job: Job) -> Iterator[Row]:
        for number, line in enumerate((job.root / self.file).read_text().splitlines(), 1):
            value = json.loads(line)
            origin = Provenance(self.file.name, number, licence="CC0-1.0")
            yield Row(f"r{number}", {"text": value["text"], "label": value["label"]}, origin, group=value["group"])


class Commonest(Contender):
    """Says the commonest label of the training rows."""

    kind = "commonest"
    output_type = "label"
    columns = ("label",)

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        label = Counter(row["label"] for row in job.train).most_common(1)[0][0]
        yield from (Answer(row.id, label) for row in job.rows)


class Accuracy(Eval):
    """Is the label right."""

    kind = "accuracy"
    output_type = "label"
    columns = ("label",)
    metrics = (Metric("accuracy", "share of right labels", binary=True),)
    primary_metric = "accuracy"

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row in job.rows:
            yield Scores(row.id, {"accuracy": float(job.answers[row.id].output == row["label"])})


class Toy(Task):
    """A label for a text."""

    kind = "toy"
    columns = ("text", "label")
    output_type = "label"
    text_column = "text"

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return {
            "objective": {"kind": "counting"}, "contenders": ["tuned", "commonest"], "evaluate": ["accuracy"],
            "targets": ["peft"], "train": {"epochs": 1},
        }

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return {"smoke": {"data": {"limit": 10}}}

    def get_templates(self) -> dict[str, str]:
        return {"text": "{text}"}

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        yield from ()

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        return f"{row['text']} → {answer.output if answer else row['label']}"
