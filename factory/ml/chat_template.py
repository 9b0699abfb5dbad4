"""Chats as token ids by the base's own template, equal in training and inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.api import Message


def encode_chat_prompt(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Return the ids of a chat with its generation prompt. Raises ValueError for a base without a chat template."""
    ids: list[int] = tokenizer(_apply_chat_template(tokenizer, messages), add_special_tokens=False)["input_ids"]
    return ids


def encode_assistant_turn(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of an assistant message and its EOS token, tokenised apart so that none merges with the prompt."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*ids, tokenizer.eos_token_id]


def find_end_ids(tokenizer: Any, model: Any) -> frozenset[int]:
    """Return the ids that end an answer: EOS of the tokenizer and of the generation config."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    end_ids = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in (tokenizer.eos_token_id, *end_ids) if token is not None)


def _apply_chat_template(tokenizer: Any, messages: Sequence[Message]) -> str:
    if not tokenizer.chat_template:
        raise ValueError("the base's tokenizer has no chat template; choose an instruction-tuned base")
    turns = [{"role": message.role, "content": message.content} for message in messages]
    text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return text
