"""How well the tokenizer of a base suits a language: more tokens per word cost input length and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer


@dataclass(frozen=True, slots=True)
class TokenizerStats:
    """Tokens per word (split at white space), characters per token, the share of unknown tokens, and the tokens of
    the longest text."""

    words: float
    characters: float
    unknown: float
    longest: int


def measure_tokenizer(model: Path, texts: Sequence[str]) -> TokenizerStats:
    """Measure a tokenizer on texts, without special tokens. Raises ValueError when there are no words."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    tokens, words = sum(map(len, ids)), sum(len(text.split()) for text in texts)
    if not words:
        raise ValueError("the texts contain no words")
    unknown_id = tokenizer.unk_token_id
    unknown = sum(text.count(unknown_id) for text in ids) if unknown_id is not None else 0
    characters = sum(map(len, texts)) / tokens
    return TokenizerStats(tokens / words, characters, unknown / tokens, max(map(len, ids)))
