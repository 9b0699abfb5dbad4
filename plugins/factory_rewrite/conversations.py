"""Source of dialogues, one JSON object per line: a topic, and turns of question, standalone rewrite and answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import Input, Job, Provenance, Row, Source, read_numbered_jsonl

OpeningPolicy = Literal["skip", "keep"]


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
    openings: OpeningPolicy = Field("skip", description="keep or skip the first question of each dialogue as a row")
    licence: str = Field("", description="licence of the dialogues, for the bundle's notes")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        for number, record in read_numbered_jsonl(job.root / self.file, str(self.file), job.report_bad_record):
            origin = Provenance(str(self.file), number, self.licence)
            try:
                dialogue = _parse_dialogue(record, f"{self.file}:{number}", origin)
            except ValueError as error:
                job.report_bad_record(str(error))
                continue
            yield from _iter_passage_rows(dialogue)
            yield from self._iter_question_rows(dialogue)

    def _iter_question_rows(self, dialogue: Dialogue) -> Iterator[Row]:
        history: list[str] = []
        for number, turn in enumerate(dialogue.turns, 1):
            name = f"{dialogue.id}#{number}"
            if history or self.openings == "keep":
                columns = {
                    "history": list(history), "question": turn.question, "rewrite": turn.rewrite, "relevant": {name: 1},
                }
                yield Row(name, columns, dialogue.origin, group=dialogue.id, split=dialogue.split)
            history += [turn.question, turn.answer]


def _iter_passage_rows(dialogue: Dialogue) -> Iterator[Row]:
    for number, turn in enumerate(dialogue.turns, 1):
        columns = {"title": dialogue.topic, "text": turn.answer}
        yield Row(f"{dialogue.id}#{number}", columns, dialogue.origin, dialogue.id, table="passages")


def _parse_dialogue(record: Mapping[str, Any], where: str, origin: Provenance) -> Dialogue:
    """Parse a record. Raises ValueError `file:line: field: …` if it is invalid."""
    turns = record.get("turns")
    if not isinstance(turns, list) or not turns:
        raise ValueError(f"{where}: turns: expected a list of turns, each with question, rewrite and answer")
    return Dialogue(
        _require_dialogue_text(record, "id", where), _require_dialogue_text(record, "topic", where),
        tuple(_parse_dialogue_turn(turn, f"{where}: turns[{number}]") for number, turn in enumerate(turns)),
        _require_dialogue_text(record, "split", where) if record.get("split") else "", origin,
    )


def _parse_dialogue_turn(turn: Any, where: str) -> DialogueTurn:
    if not isinstance(turn, dict):
        raise ValueError(f"{where}: expected an object {{…}}, got a {type(turn).__name__}")
    return DialogueTurn(*(_require_dialogue_text(turn, name, where) for name in ("question", "rewrite", "answer")))


def _require_dialogue_text(record: Mapping[str, Any], name: str, where: str) -> str:
    if name not in record:
        raise ValueError(f"{where}: {name}: no such field; available: {', '.join(sorted(record)) or 'none'}")
    value = record[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where}: {name}: expected a text, got {value!r}")
    return value
