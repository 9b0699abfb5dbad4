"""Chat logs in OpenAI's fine-tuning format: one `{"messages": [{"role", "content"}, …]}` per line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import Input, Job, read_numbered_jsonl
from factory.text.suggestions import suggest_near_name
from factory_sources.records import FileSource, SourceRecord

CHAT_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class ChatLog(FileSource):
    """Reads assistant turns from a chat log, one row per turn.

    `target` is the turn, `prompt` the last user turn before it, `history` the other turns before it as {role, content},
    `system` the system messages. Text parts of a turn are joined by a line break. Turns of weight 0 and turns that only
    call tools are skipped.
    """

    kind = "chat-log"
    version = 2
    default_columns = ("prompt", "target")

    file: Annotated[Path, Input()] = Field(description="JSONL file of chats, relative to the spec")
    turns: Literal["last", "each"] = Field("last", description="assistant turns that become rows: the last or each")

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        shown, stem = str(self.file), self.file.stem
        for number, values in read_numbered_jsonl(job.root / self.file, shown, job.report_bad_record):
            try:
                if "messages" not in values:
                    raise ValueError(f"no such field; the record has {', '.join(sorted(values)) or 'no fields'}")
                turns = self._select_target_turns(values["messages"])
            except ValueError as error:
                job.report_bad_record(f"{shown}:{number}: messages: {error}")
                continue
            for turn, columns in turns:
                name, group = f"{stem}#{number}", ""
                if self.turns == "each":
                    # Number the chat's id field too, so that its rows have different ids.
                    turn_id = {self.id: f"{values[self.id]}.{turn}"} if self.id in values else {}
                    columns, name, group = {**turn_id, **columns}, f"{name}.{turn}", name
                yield SourceRecord(shown, number, {**values, **columns}, name, group, {"turn": turn})

    def _select_target_turns(self, messages: Any) -> list[tuple[int, dict[str, Any]]]:
        """Return (turn number, columns) of the turns that become rows. Raises ValueError if there is none."""
        if not isinstance(messages, list) or not messages:
            raise ValueError("expected a non-empty list of {role, content}")
        turns = [_parse_chat_turn(message, number) for number, message in enumerate(messages, 1)]
        targets = [
            (number, _build_turn_columns(turns[: number - 1], turn["content"]))
            for number, (message, turn) in enumerate(zip(messages, turns, strict=True), 1)
            if turn["role"] == "assistant" and turn["content"].strip() and message.get("weight", 1)
            and any(before["role"] == "user" for before in turns[: number - 1])
        ]
        if not targets:
            raise ValueError("no assistant turn with text follows a user turn; remove this line")
        return targets if self.turns == "each" else targets[-1:]


def _build_turn_columns(before: list[dict[str, str]], target: str) -> dict[str, Any]:
    system = "\n\n".join(turn["content"] for turn in before if turn["role"] in ("system", "developer"))
    last_user = max(index for index, turn in enumerate(before) if turn["role"] == "user")
    others = before[:last_user] + before[last_user + 1 :]
    history = [turn for turn in others if turn["role"] not in ("system", "developer")]
    return {"system": system, "history": history, "prompt": before[last_user]["content"], "target": target}


def _parse_chat_turn(message: Any, number: int) -> dict[str, str]:
    """Return role and text of a message. Raises ValueError if it is malformed or holds more than text."""
    _require_chat_role(message, number)
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(_read_text_part(part, number) for part in content)
    if content is None and message["role"] == "assistant":
        content = ""  # a turn that only calls tools has no content
    if not isinstance(content, str):
        raise ValueError(f"turn {number}: content: expected text, got {type(content).__name__}")
    return {"role": message["role"], "content": content}


def _require_chat_role(message: Any, number: int) -> None:
    """Raise ValueError if a message is no mapping with one of the known roles."""
    roles = ", ".join(CHAT_ROLES)
    if not isinstance(message, dict):
        raise ValueError(f"turn {number}: expected {{role, content}}, got {type(message).__name__}")
    role = message.get("role")
    if "role" not in message:
        has = ", ".join(map(str, message)) or "no fields"
        raise ValueError(f"turn {number}: no role; the turn has {has}; set role to one of {roles}")
    if role not in CHAT_ROLES:
        near = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}.get(str(role).lower())
        hint = f"; did you mean {near!r}?" if near else suggest_near_name(str(role), CHAT_ROLES)
        raise ValueError(f"turn {number}: role {role!r} is none of {roles}{hint}")


def _read_text_part(part: Any, number: int) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type") in ("text", "output_text") else None
    if not isinstance(text, str):
        kind = part.get("type") if isinstance(part, dict) else type(part).__name__
        raise ValueError(f"turn {number}: content: expected text, got a part of type {kind}")
    return text
