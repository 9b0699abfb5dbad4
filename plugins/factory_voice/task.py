"""The brand voice task: answer a customer as one brand would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from factory.api import Answer, Finding, Message, Provenance, Row, RowsJob, Task, render
from factory.text.templates import list_slots
from factory_voice import voice_defaults
from factory_voice.text_tokens import extract_written_figures, split_folded_words

CHAT_ROLES = ("user", "assistant")
MAX_SHORT_WORDS = 25
"""Neutral answers of up to this many words are in the slice of short ones."""


class BrandVoice(Task):
    """Rewrites a neutral answer to a customer in a brand's voice.

    The model gets the customer's message and the `neutral` answer. It is given the facts because it cannot know them:
    opening hours and return policies are in no base's weights, and a model trained without them learns to invent them.
    Where the facts come from (a person, a search, a larger model) is up to the caller. For answers that follow from
    the question alone, leave `{neutral}` out of `prompt_template`; the column still measures the meaning.

    A row may have a `history`, the earlier turns as [{"role": "user" or "assistant", "content": text}], and a
    `moment`, the kind of customer moment, by which results are sliced.
    """

    kind = "brand-voice"
    columns = ("question", "neutral", "answer")
    output_type = "text"
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
        return voice_defaults.SPEC

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return voice_defaults.PROFILES

    def get_templates(self) -> dict[str, str]:
        return {"system": self.system_template, "prompt": self.prompt_template, "target": self.target_template}

    def render_messages(self, row: Row) -> tuple[Message, ...]:
        """Render the system message, the turns of the row's history, and the prompt."""
        *system, prompt = super().render_messages(row)
        return (*system, *get_history_messages(row), prompt)

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        """Yield findings for empty texts; report rows without a voice or with changed figures in notes."""
        plain, dropped = [], []
        for row in job.rows:
            get_history_messages(row)
            if empty := [name for name in self.columns if not str(row[name]).strip()]:
                yield Finding("empty", row.id, f"{', '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty")
            if split_folded_words(row["answer"]) == split_folded_words(row["neutral"]):
                plain.append(row.id)
            if changed := sorted(extract_written_figures(row["neutral"]) ^ extract_written_figures(row["answer"])):
                dropped.append(f"{row.id} ({', '.join(changed)})")
        if plain:
            job.report.note(f"{len(plain)} answers equal their neutral answer, such as {plain[0]}", warning=True)
        if dropped:
            job.report.note(
                f"{len(dropped)} answers have other figures than their neutral answer, such as {dropped[0]}",
                warning=True,
            )

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """Describe a row by the customer's message and the answer, or the reference without one."""
        text = str(answer.output) if answer else render(self.target_template, row.columns)
        return f"{row['question']}\n  {text}"

    def get_row_slices(self, row: Row) -> dict[str, str]:
        """Slice by customer moment, if rows have one, and by the length of the neutral answer."""
        is_short = len(split_folded_words(row["neutral"])) <= MAX_SHORT_WORDS
        length = f"to {MAX_SHORT_WORDS} words" if is_short else f"over {MAX_SHORT_WORDS} words"
        moment = {"moment": str(row["moment"])} if "moment" in row.columns else {}
        return {**moment, "length": length}

    def build_query_row(self, asked: Mapping[str, Any]) -> Row:
        """Build a row from the customer's message, `query`, and the other columns of the prompt, such as `neutral`."""
        columns = {**asked, "question": asked["query"]}
        missing = [name for name in list_slots(self.system_template + self.prompt_template) if name not in columns]
        if missing:
            raise ValueError(f"{missing[0]} is missing: the prompt template uses it beside the customer's message")
        return Row("question", columns, Provenance("the question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        shown = [name for name in list_slots(self.system_template + self.prompt_template) if name != "question"]
        return {"query": row["question"], **{name: row[name] for name in (*shown, "history") if name in row.columns}}


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
