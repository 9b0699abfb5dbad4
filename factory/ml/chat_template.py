"""A chat as token ids, by the base's own template: the same ids when learning and when answering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.api import Message


def encode_chat_prompt(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Ids of a chat up to where the assistant begins to speak. Raises ValueError for a base without a template."""
    ids: list[int] = tokenizer(_apply_chat_template(tokenizer, messages), add_special_tokens=False)["input_ids"]
    return ids


def encode_assistant_turn(tokenizer: Any, text: str) -> list[int]:
    """Ids of what the assistant says and of its end of turn; never joined with what stands before."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*ids, tokenizer.eos_token_id]


def find_end_ids(tokenizer: Any, model: Any) -> frozenset[int]:
    """The ids at which an answer ends."""
    named = getattr(model.generation_config, "eos_token_id", None)
    several = named if isinstance(named, list) else [named]
    return frozenset(one for one in (tokenizer.eos_token_id, *several) if one is not None)


def _apply_chat_template(tokenizer: Any, messages: Sequence[Message]) -> str:
    if not tokenizer.chat_template:
        raise ValueError("the base's tokenizer has no chat template; choose an instruction-tuned base")
    turns = [{"role": message.role, "content": message.content} for message in messages]
    text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return text
