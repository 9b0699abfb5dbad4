"""Logs of chats in the form that OpenAI's fine-tuning takes: `{"messages": [{"role", "content"}, …]}`, one a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import Input, Job, read_numbered_jsonl
from factory_sources.records import RecordSource, SourceRecord

CHAT_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class ChatLog(RecordSource):
    """A row for an assistant's turn: `target` is what it said, `prompt` what the user had said last, `history` the
    other turns before it as {role, content}, `system` the system's. A turn of weight 0, or of tool calls alone, is no
    target.
    """

    kind = "chat-log"
    default_columns = ("prompt", "target")

    file: Annotated[Path, Input()] = Field(description="the chats, JSONL, relative to the spec")
    turns: Literal["last", "each"] = Field("last", description="the assistant's turns that become rows")

    def describe_source(self) -> str:
        return str(self.file)

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        shown, stem = str(self.file), self.file.stem
        for number, values in read_numbered_jsonl(job.root / self.file, shown, job.report_bad_record):
            try:
                found = self._select_target_turns(values.get("messages"))
            except ValueError as error:
                job.report_bad_record(f"{shown}:{number}: messages: {error}")
                continue
            for turn, columns in found:
                name, group = f"{stem}#{number}", ""
                if self.turns == "each":
                    columns, group = {**self._number_turn_id(values, turn), **columns}, name
                    name = f"{name}.{turn}"
                yield SourceRecord(shown, number, {**values, **columns}, name, group, {"turn": turn})

    def _number_turn_id(self, values: Mapping[str, Any], turn: int) -> dict[str, str]:
        """The field that names a chat, with the turn: several rows of a chat would have one id."""
        return {self.id: f"{values[self.id]}.{turn}"} if self.id in values else {}

    def _select_target_turns(self, messages: Any) -> list[tuple[int, dict[str, Any]]]:
        """(place, columns) of the turns that become rows. Raises ValueError when there is none."""
        if not isinstance(messages, list) or not messages:
            raise ValueError("a list of turns is wanted; each is {role, content}")
        turns = [_parse_chat_turn(message, place) for place, message in enumerate(messages, 1)]
        found = [
            (place, _build_turn_columns(turns[: place - 1], turn["content"]))
            for place, (message, turn) in enumerate(zip(messages, turns, strict=True), 1)
            if turn["role"] == "assistant" and turn["content"].strip() and message.get("weight", 1)
            and any(before["role"] == "user" for before in turns[: place - 1])
        ]
        if not found:
            raise ValueError("no assistant's turn with text answers a user; take the line out")
        return found if self.turns == "each" else found[-1:]


def _build_turn_columns(before: list[dict[str, str]], target: str) -> dict[str, Any]:
    system = "\n\n".join(turn["content"] for turn in before if turn["role"] in ("system", "developer"))
    asked = max(place for place, turn in enumerate(before) if turn["role"] == "user")
    history = [turn for turn in before[:asked] + before[asked + 1 :] if turn["role"] not in ("system", "developer")]
    return {"system": system, "history": history, "prompt": before[asked]["content"], "target": target}


def _parse_chat_turn(message: Any, place: int) -> dict[str, str]:
    """Role and text of a message. Raises ValueError for one that is none, or that holds more than text."""
    if not isinstance(message, dict) or message.get("role") not in CHAT_ROLES:
        raise ValueError(f"turn {place} has no role; there are {', '.join(CHAT_ROLES)}")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(_read_text_part(part, place) for part in content)
    if content is None and message["role"] == "assistant":
        content = ""  # it called a tool
    if not isinstance(content, str):
        raise ValueError(f"turn {place}: content: a {type(content).__name__} where text is wanted")
    return {"role": message["role"], "content": content}


def _read_text_part(part: Any, place: int) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type") in ("text", "output_text") else None
    if not isinstance(text, str):
        kind = part.get("type") if isinstance(part, dict) else type(part).__name__
        raise ValueError(f"turn {place}: content: a part of type {kind} where text is wanted")
    return text
