"""How well the tokenizer of a base suits a text: tokens a word say what a language costs, in length and in learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer


@dataclass(frozen=True, slots=True)
class TokenizerStats:
    """Of some texts: tokens a word (split at white space), characters a token, the share of tokens that stand for
    something unknown, and the tokens of the longest text."""

    words: float
    characters: float
    unknown: float
    longest: int


def measure_tokenizer(model: Path, texts: Sequence[str]) -> TokenizerStats:
    """Measure the tokenizer of a model folder on texts, special tokens left out. Raises ValueError for no words."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    tokens, words = sum(map(len, ids)), sum(len(text.split()) for text in texts)
    if not words:
        raise ValueError("the texts have no words")
    unknown = tokenizer.unk_token_id
    lost = sum(text.count(unknown) for text in ids) if unknown is not None else 0
    characters = sum(map(len, texts)) / tokens
    return TokenizerStats(tokens / words, characters, lost / tokens, max(map(len, ids)))
