"""A task: does the evidence support the claim?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from factory.api import Answer, Finding, Provenance, Row, RowsJob, Task, render


class MyPlugin(Task):
    """Classifies whether a piece of evidence supports a claim, with a probability for every label."""

    kind = "my-plugin"
    contract = 2
    columns = ("claim", "evidence", "label")
    added_columns = ("text",)
    output_type = "labels"
    text_column = "text"

    template: str = Field("{evidence} → {claim}", description="text that the model reads, over the columns of a row")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        """Return the default plugins of a spec: kinds whose answers are `labels`."""
        return {
            "objective": {"kind": "classification"}, "contenders": ["tuned", "centroid", "majority"],
            "evaluate": ["classification"], "train": {"epochs": 3}, "adapter": {"rank": 8},
        }

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return {"smoke": {"data": {"limit": 60}, "train": {"epochs": 1}}}

    def get_templates(self) -> dict[str, str]:
        return {"text": "{text}", "system": "Is the claim supported?", "prompt": "{text}", "target": "{label}"}

    def list_choices(self, rows: Sequence[Row]) -> tuple[str, ...]:
        return tuple(sorted({self.render_target(row) for row in rows}))

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Add the text that the model reads. Test rows are prepared too, so this must not use the label."""
        for row in job.rows:
            yield row.with_columns(text=render(self.template, row.columns))

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        for row in job.rows:
            empty = [name for name in ("claim", "evidence", "label") if not str(row[name]).strip()]
            if empty:
                yield Finding("empty", row.id, f"empty {', '.join(empty)}")

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        label = max(sorted(answer.output), key=answer.output.get) if answer else row["label"]
        correction = "" if label == row["label"] else f", not {row['label']}"
        return f"{row['evidence']} → {row['claim']}\n  {label}{correction}"

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        return {"label": str(row["label"])}

    def build_query_row(self, inputs: Mapping[str, Any]) -> Row:
        """For `factory try NAME --query CLAIM --with evidence=…`; the query may also be the complete text."""
        columns = {"claim": inputs["query"], "evidence": "", "label": "", **inputs}
        text = inputs["query"] if not columns["evidence"] else render(self.template, columns)
        return Row("question", {**columns, "text": text}, Provenance("the question"))

    def format_answer(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer) -> str:
        label = max(sorted(answer.output), key=answer.output.get)
        return f"{label} {answer.output[label]:.2f}"
