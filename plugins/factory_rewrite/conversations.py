"""Source of dialogues, one JSON object per line: a topic, and turns of question, standalone rewrite and answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import Input, Job, Provenance, Row, Source, read_numbered_jsonl
from factory.text.jsonl import read_first_object


@dataclass(frozen=True, slots=True)
class DialogueTurn:
    """One exchange: the question as asked, its standalone rewrite, and the answer."""

    question: str
    rewrite: str
    answer: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One conversation with its provenance."""

    id: str
    topic: str
    turns: tuple[DialogueTurn, ...]
    split: str
    origin: Provenance


class Conversations(Source):
    """Reads dialogues: each question becomes a row, each answer a passage that is relevant to its own question.

    `history` holds the turns before, questions and answers alternating. The first question of a dialogue needs no
    rewrite, so by default it only becomes part of the history.
    """

    kind = "conversations"
    output_columns = ("history", "question", "rewrite", "relevant")
    tables = ("passages",)

    file: Annotated[Path, Input()] = Field(description="dialogues, JSONL, relative to the spec")
    openings: Literal["skip", "keep"] = Field("skip", description="skip or keep the first question of each dialogue")
    licence: str = Field("", description="licence of the dialogues, for the bundle's notes")

    @classmethod
    def draft_fields(cls, data: Path) -> Mapping[str, Any]:
        turns = read_first_object(data).get("turns") if data.is_file() else None
        is_dialogue = isinstance(turns, list) and all(isinstance(turn, dict) and "rewrite" in turn for turn in turns)
        return {"file": data} if is_dialogue else {}

    def iter_rows(self, job: Job) -> Iterator[Row]:
        for number, record in read_numbered_jsonl(job.root / self.file, str(self.file), job.report_bad_record):
            try:
                dialogue = _parse_dialogue(record, Provenance(str(self.file), number, self.licence))
            except ValueError as error:
                job.report_bad_record(f"{self.file}:{number}: {error}")
                continue
            yield from self._iter_dialogue_rows(dialogue)

    def _iter_dialogue_rows(self, dialogue: Dialogue) -> Iterator[Row]:
        history: list[str] = []
        for number, turn in enumerate(dialogue.turns, 1):
            name, passage = f"{dialogue.id}#{number}", {"title": dialogue.topic, "text": turn.answer}
            yield Row(name, passage, dialogue.origin, dialogue.id, table="passages")
            if history or self.openings == "keep":
                columns = {
                    "history": list(history), "question": turn.question, "rewrite": turn.rewrite, "relevant": {name: 1},
                }
                yield Row(name, columns, dialogue.origin, group=dialogue.id, split=dialogue.split)
            history += [turn.question, turn.answer]


def _parse_dialogue(record: Mapping[str, Any], origin: Provenance) -> Dialogue:
    """Parse a record. Raises ValueError `field: …` if it is invalid."""
    turns = record.get("turns")
    if not isinstance(turns, list) or not turns:
        raise ValueError("turns: expected a list of turns, each with question, rewrite and answer")
    name, topic = _require_dialogue_text(record, "id"), _require_dialogue_text(record, "topic")
    parsed = []
    for number, turn in enumerate(turns):
        if not isinstance(turn, dict):
            raise ValueError(f"turns[{number}]: expected an object {{…}}, got a {type(turn).__name__}")
        fields = ("question", "rewrite", "answer")
        parsed.append(DialogueTurn(*(_require_dialogue_text(turn, field, f"turns[{number}]: ") for field in fields)))
    split = _require_dialogue_text(record, "split") if record.get("split") else ""
    return Dialogue(name, topic, tuple(parsed), split, origin)


def _require_dialogue_text(record: Mapping[str, Any], name: str, where: str = "") -> str:
    if name not in record:
        raise ValueError(f"{where}{name}: no such field; available: {', '.join(sorted(record)) or 'none'}")
    value = record[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where}{name}: expected a text, got {value!r}")
    return value
