"""The assistant task: a prompt and its answer, learnt from what people preferred."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from factory.api import Answer, Finding, Message, Plugin, Provenance, Row, RowsJob, Schedule, Task, is_blank, render
from factory.api.label_sets import refuse_row
from factory_preference.judged_answers import CHOSEN, REJECTED

GUARD = {"metric": "sound", "within": 0.1}
"""Of a model that prefers rightly, but no longer writes sensibly, no one has any use."""
PAIR_DEFAULTS: dict[str, Any] = {
    "objective": "dpo",
    "data": {"curate": [{"kind": "exact", "text_columns": ["prompt", "chosen", "rejected"]}]},
    "contenders": ["tuned", "untuned", "by-length"],
    "evaluate": ["preference"],
    "targets": ["peft"],
    "train": {"learning_rate": 5e-5},
    "gate": {"guards": [GUARD]},
}
THUMB_DEFAULTS: dict[str, Any] = {
    **PAIR_DEFAULTS,
    "objective": "kto",
    "data": {"curate": [{"kind": "exact", "text_columns": ["prompt", "answer"]}]},
    "evaluate": ["thumbs"],
    "gate": {"metric": "auc", "guards": [GUARD]},
}
SMOKE_PROFILE: dict[str, Any] = {
    "data": {"limit": 48, "split": {"test": 16, "validation": 8}}, "train": {"epochs": 1},
    "gate": {"resamples": 2000},
}
"""Checks that a spec runs from start to end; the verdict is meaningless."""
THUMB_WORDS = {
    **dict.fromkeys(("true", "yes", "up", "good", "1"), True),
    **dict.fromkeys(("false", "no", "down", "bad", "0"), False),
}
"""Spellings of a thumb up and a thumb down."""


class JudgedAnswersTask(Task):
    """A task whose rows have a prompt, and answers to it that people judged.

    A row may have a `system` message of its own, and an `input`, such as a text to work on, that follows the prompt.
    """

    columns = ("prompt", "chosen", "rejected")
    text_column = "prompt"
    schedule = Schedule(steps=40, least_epochs=2, most_epochs=4, batch_size=8)

    system_template: str = Field("", description="system message of rows without one; empty for the base's default")
    prompt_template: str = Field("{prompt}", description="template of the prompt, over the row's columns")

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return {"smoke": SMOKE_PROFILE}

    def get_templates(self) -> dict[str, str]:
        return {"system": self.system_template, "prompt": self.prompt_template, "target": "{chosen}"}

    def render_messages(self, row: Row) -> tuple[Message, ...]:
        """Render the system message, the row's own before the template's, and the prompt with the row's input."""
        system = str(row.columns.get("system") or "") or render(self.system_template, row.columns)
        parts = [render(self.prompt_template, row.columns), str(row.columns.get("input") or "")]
        prompt = Message("user", "\n\n".join(part for part in parts if part))
        return (Message("system", system), prompt) if system else (prompt,)

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        texts = [name for name in self.columns if name != "good"]
        for row in job.rows:
            # Rows of a step that is supervised have no rejected answer.
            if empty := [name for name in texts if name in row.columns and is_blank(str(row[name]))]:
                yield Finding("empty", row.id, f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty")

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """Describe a row by its prompt and the answer, or the target without one."""
        return f"{row['prompt']}\n  {self.render_target(row) if answer is None else answer.output}"

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        """Slice pairs by whether the better answer is the longer one."""
        longer = len(str(row[CHOSEN])) - len(str(row[REJECTED]))
        return {"better answer": "longer" if longer > 0 else "shorter" if longer < 0 else "as long"}

    def build_query_row(self, inputs: Mapping[str, Any]) -> Row:
        """Build a row from the prompt, `query`, and other columns that the row's messages use, such as `system`."""
        return Row("question", {**inputs, "prompt": inputs["query"]}, Provenance("the question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        own = {name: row[name] for name in ("system", "input") if name in row.columns}
        return {"query": row["prompt"], **own}


class Assistant(JudgedAnswersTask):
    """Answers a prompt, and learns from judged answers.

    With `feedback: pairs` a row has the better answer, `chosen`, and the worse one, `rejected`; with `feedback: thumbs`
    it has one `answer` and whether it is `good`. A row may have a `system` message of its own, and an `input`, such as
    a text to work on, that follows the prompt.
    """

    kind = "assistant"
    output_type = "text"

    feedback: Literal["pairs", "thumbs"] = Field(
        "pairs", description="what people said: which of two answers is better, or whether an answer is good"
    )

    @classmethod
    def get_variant(cls, fields: Mapping[str, Any]) -> type[Plugin]:
        """Return the class for thumbs, which has other columns and defaults."""
        return ThumbsAssistant if fields.get("feedback") == "thumbs" else Assistant

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return PAIR_DEFAULTS

    def get_templates(self) -> dict[str, str]:
        target = "{answer}" if self.feedback == "thumbs" else "{chosen}"
        return {**super().get_templates(), "target": target}


class ThumbsAssistant(Assistant):
    """Answers a prompt, and learns from single answers that were found good or bad."""

    columns = ("prompt", "answer", "good")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return THUMB_DEFAULTS

    def build_expected_output(self, row: Row) -> str:
        """Return the answer if it is good; no row gives a right answer beside a bad one."""
        return self.render_target(row) if row["good"] else ""

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Yield the rows with `good` as true or false. Raises InputError for a thumb that is neither."""
        for row in job.rows:
            if "good" not in row.columns:  # a user's question
                yield row
                continue
            good = THUMB_WORDS.get(str(row["good"]).strip().lower())
            if good is None:
                refuse_row(row, f"good: {row['good']!r} is no thumb; write true or false")
            yield row if row["good"] is good else row.with_columns(good=good)

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        return {"thumb": "up" if row["good"] else "down"}
