"""Brand voice: answers a customer as one brand would."""

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
"""Words of a plain answer up to which it is called short."""


class BrandVoice(Task):
    """Says in a brand's voice what is to be said to a customer.

    The model is given the customer's message and the plain answer, `neutral`, and says that answer in the voice. It
    is given the facts because it can not know them: opening hours and return policies stand in no base's weights, and
    a model trained to answer without them learns to invent them. Where the facts come from (a person, a search, a
    larger model) is not its business. For answers that follow from the question alone, leave `{neutral}` out of
    `prompt_template`; the column is still what the meaning is measured by.

    A row may have a `history`, the earlier turns of the chat as [{"role": "user" or "assistant", "content": text}],
    and a `moment`, the kind of customer moment, by which results are sliced.
    """

    kind = "brand-voice"
    columns = ("question", "neutral", "answer")
    output_type = "text"
    text_column = "question"

    system_template: str = Field(
        "You answer customers in our brand's voice. Keep every fact and figure.",
        description="the standing instruction; empty for none",
    )
    prompt_template: str = Field(
        "Customer: {question}\n\nWhat to say: {neutral}", description="the last turn of the user, over the columns"
    )
    target_template: str = Field("{answer}", description="what the specialist should say, over the columns")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return voice_defaults.SPEC

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return voice_defaults.PROFILES

    def get_templates(self) -> dict[str, str]:
        return {"system": self.system_template, "prompt": self.prompt_template, "target": self.target_template}

    def render_messages(self, row: Row) -> tuple[Message, ...]:
        """System message, the turns of the row's history when it has one, and the prompt."""
        *system, prompt = super().render_messages(row)
        return (*system, *get_history_messages(row), prompt)

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        """Empty texts are findings; rows that teach little or drop figures are only told of."""
        plain, dropped = [], []
        for row in job.rows:
            get_history_messages(row)
            if empty := [name for name in self.columns if not str(row[name]).strip()]:
                yield Finding("empty", row.id, f"{', '.join(empty)} has no text")
            if split_folded_words(row["answer"]) == split_folded_words(row["neutral"]):
                plain.append(row.id)
            if lost := sorted(extract_written_figures(row["neutral"]) ^ extract_written_figures(row["answer"])):
                dropped.append(f"{row.id} ({', '.join(lost)})")
        if plain:
            job.report.note(f"{len(plain)} answers are the plain answer, such as {plain[0]}", warning=True)
        if dropped:
            told = f"{len(dropped)} answers and their plain answers have different figures, such as {dropped[0]}"
            job.report.note(told, warning=True)

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """The customer's message, then what was said, or what should be."""
        said = str(answer.output) if answer else render(self.target_template, row.columns)
        return f"{row['question']}\n  {said}"

    def get_row_slices(self, row: Row) -> dict[str, str]:
        """By customer moment, where rows have one, and by the length of the plain answer."""
        length = f"to {MAX_SHORT_WORDS} words" if len(split_folded_words(row["neutral"])) <= MAX_SHORT_WORDS else f"over {MAX_SHORT_WORDS} words"
        moment = {"moment": str(row["moment"])} if "moment" in row.columns else {}
        return {**moment, "length": length}

    def build_query_row(self, asked: Mapping[str, Any]) -> Row:
        """What a customer wrote as `query`, and the other columns that the prompt shows, such as `neutral`."""
        columns = {**asked, "question": asked["query"]}
        lacking = [name for name in list_slots(self.system_template + self.prompt_template) if name not in columns]
        if lacking:
            raise ValueError(f"give {lacking[0]} too: the prompt shows it beside the customer's message")
        return Row("question", columns, Provenance("the question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        shown = [name for name in list_slots(self.system_template + self.prompt_template) if name != "question"]
        return {"query": row["question"], **{name: row[name] for name in (*shown, "history") if name in row.columns}}


def get_history_messages(row: Row) -> tuple[Message, ...]:
    """The earlier turns of a row's chat. Raises ValueError when they are no turns."""
    turns = row.columns.get("history") or ()
    if not isinstance(turns, list | tuple):
        raise ValueError(f"row {row.id!r}: its history is no list of turns")
    for turn in turns:
        said = turn.get("content") if isinstance(turn, Mapping) and turn.get("role") in CHAT_ROLES else None
        if not isinstance(said, str):
            raise ValueError(f"row {row.id!r}: a turn of its history is no {{role: user or assistant, content: text}}")
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)
