"""The brand voice task: answer a customer as one brand would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from factory.api import Answer, Finding, Message, Provenance, Row, RowsJob, Schedule, Task, is_blank, render
from factory.text.templates import list_slots
from factory_voice.text_tokens import count_figures, split_folded_words

CHAT_ROLES = ("user", "assistant")
MAX_SHORT_WORDS = 25
"""Neutral answers of up to this many words are in the slice of short ones."""

VOICE_DEFAULTS: dict[str, Any] = {
    "objective": "completion",
    "data": {"curate": [{"kind": "exact", "text_columns": ["question"]}]},
    "contenders": ["tuned", "untuned", "neutral", "prompted", "nearest"],
    "evaluate": ["voice"],
    "targets": ["peft"],
    "train": {"learning_rate": 1e-3, "keep": "best"},
}
SMOKE_PROFILE: dict[str, Any] = {
    "data": {"limit": 48, "split": {"test": 24, "validation": 12}}, "train": {"epochs": 1},
    "gate": {"resamples": 2000},
}
"""Checks that a spec runs from start to end; the verdict is meaningless."""


class BrandVoice(Task):
    """Rewrites a neutral answer to a customer in a brand's voice.

    The model gets the customer's message and the `neutral` answer. It is given the facts because it cannot know them:
    opening hours and return policies are in no base's weights, and a model trained without them learns to invent them.
    The caller supplies the facts: from a person, a search or a larger model. For answers that follow from
    the question alone, leave `{neutral}` out of `prompt_template`; the column still measures the meaning.

    A row may have a `history`, the earlier turns as [{"role": "user" or "assistant", "content": text}], and a
    `moment`, the kind of customer moment, by which results are sliced.
    """

    kind = "brand-voice"
    columns = ("question", "neutral", "answer")
    output_type = "text"
    schedule = Schedule(steps=100, least_epochs=4, most_epochs=8, batch_size=8)
    text_column = "question"

    system_template: str = Field(
        "You answer customers in our brand's voice. Keep every fact and figure.",
        description="system message; empty for none",
    )
    prompt_template: str = Field(
        "Customer: {question}\n\nWhat to say: {neutral}", description="template of the prompt, over the row's columns"
    )
    target_template: str = Field("{answer}", description="template of the target, over the row's columns")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return VOICE_DEFAULTS

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return {"smoke": SMOKE_PROFILE}

    def get_templates(self) -> dict[str, str]:
        return {"system": self.system_template, "prompt": self.prompt_template, "target": self.target_template}

    def render_messages(self, row: Row) -> tuple[Message, ...]:
        """Render the system message, the turns of the row's history, and the prompt."""
        *system, prompt = super().render_messages(row)
        return (*system, *get_history_messages(row), prompt)

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        """Yield findings for empty texts; note rows whose answer equals the neutral one or has other figures."""
        unchanged, differing = [], []
        for row in job.rows:
            get_history_messages(row)
            if empty := [name for name in self.columns if is_blank(str(row[name]))]:
                yield Finding("empty", row.id, f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty")
            if split_folded_words(row["answer"]) == split_folded_words(row["neutral"]):
                unchanged.append(row.id)
            ours, theirs = count_figures(row["neutral"]), count_figures(row["answer"])
            if changed := sorted({*(ours - theirs), *(theirs - ours)}):
                differing.append(f"{row.id} ({', '.join(changed)})")
        for problem, rows in (("the same text as", unchanged), ("other figures than", differing)):
            if rows:
                subject = "1 answer has" if len(rows) == 1 else f"{len(rows)} answers have"
                job.report.note(f"{subject} {problem} the neutral answer, such as {rows[0]}", warning=True)

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """Describe a row by the customer's message and the answer, or the reference without one."""
        text = str(answer.output) if answer else render(self.target_template, row.columns)
        return f"{row['question']}\n  {text}"

    def get_row_slices(self, row: Row) -> dict[str, str]:
        """Slice by customer moment, if rows have one, and by the length of the neutral answer."""
        is_short = len(split_folded_words(row["neutral"])) <= MAX_SHORT_WORDS
        moment = {"moment": str(row["moment"])} if "moment" in row.columns else {}
        return {**moment, "length": f"{'to' if is_short else 'over'} {MAX_SHORT_WORDS} words"}

    def build_query_row(self, inputs: Mapping[str, Any]) -> Row:
        """Build a row from the customer's message, `query`, and the other columns of the prompt, such as `neutral`."""
        columns = {**inputs, "question": inputs["query"]}
        missing = [name for name in list_slots(self.system_template + self.prompt_template) if name not in columns]
        if missing:
            raise ValueError(f"{missing[0]}: no value given; the system or prompt template uses this column")
        return Row("question", columns, Provenance("the question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        slots = [name for name in list_slots(self.system_template + self.prompt_template) if name != "question"]
        return {"query": row["question"], **{name: row[name] for name in (*slots, "history") if name in row.columns}}


def get_history_messages(row: Row) -> tuple[Message, ...]:
    """Return the earlier turns of a row's chat. Raises ValueError if they are invalid."""
    turns = row.columns.get("history") or ()
    if not isinstance(turns, list | tuple):
        raise ValueError(f"row {row.id!r}: history: expected a list of turns")
    for turn in turns:
        content = turn.get("content") if isinstance(turn, Mapping) and turn.get("role") in CHAT_ROLES else None
        if not isinstance(content, str):
            raise ValueError(f"row {row.id!r}: history: expected turns {{role: user or assistant, content: text}}")
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)
