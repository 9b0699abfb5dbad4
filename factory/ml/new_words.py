"""Words with a trained embedding of their own: in the tokenizer, in the embeddings, and beside a saved adapter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer


def load_tokenizer(folder: Path, adapter: Path | None = None, words: Sequence[str] = ()) -> Any:
    """Load the tokenizer of a base, or the one beside an adapter that has words of its own; add `words` to it."""
    own = adapter is not None and read_word_ids(adapter)
    tokenizer: Any = AutoTokenizer.from_pretrained(adapter if own else folder)
    tokenizer.add_tokens(list(words))
    return tokenizer


def read_word_ids(adapter: Path) -> list[int]:
    """Return the token ids of the words whose embeddings a saved adapter has."""
    return list(json.loads((adapter / "adapter_config.json").read_text()).get("trainable_token_indices") or ())


def find_word_ids(tokenizer: Any, words: Sequence[str]) -> tuple[int, ...]:
    """Return the token ids of words that the tokenizer has, in order. Raises ValueError for one that it splits."""
    ids = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    if split := [word for word, own in zip(words, ids, strict=True) if len(own) != 1]:
        raise ValueError(f"adapter.trainable_tokens: the tokenizer splits {split[0]!r}; write it without spaces around")
    return tuple(sorted({token for (token,) in ids}))


def make_room_for_words(model: Any, tokenizer: Any) -> None:
    """Add rows to the embeddings of a model for the words that its tokenizer has beyond them."""
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)


@torch.no_grad()
def start_words_from_parts(model: Any, base: Path, words: Sequence[str], tokenizer: Any) -> None:
    """Let each new word begin as the mean of its parts, by which the base reads it."""
    known: Any = AutoTokenizer.from_pretrained(base)
    tables = {id(table.weight): table.weight for table in (model.get_input_embeddings(), model.get_output_embeddings())}
    for word in words:
        parts = known(word, add_special_tokens=False)["input_ids"]
        for weight in tables.values() if len(parts) > 1 else ():
            weight[tokenizer.convert_tokens_to_ids(word)] = weight[parts].mean(0)
