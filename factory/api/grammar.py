"""Grammars of generated texts, and the token masks that keep a text inside its grammar (llguidance)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer
    from torch import Tensor

JSON_OPTIONS: Any = {"key_separator": ": ", "item_separator": ", ", "whitespace_flexible": False}
"""JSON is spaced as Python's `json.dumps` does: keys and signs are then forced, and no model writes blanks for ever."""
MAX_COMPILED_GRAMMARS = 64
BYTE_TOKENIZER = "byte"
"""llguidance's own tokenizer, one token per byte: it matches text without a model."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """The language of a generated text: a Lark grammar in llguidance's dialect, or a JSON Schema in JSON.

    A generated text is always in the language, or the answer is `incomplete`: it ran into the token limit.
    """

    source: str
    syntax: Literal["lark", "json-schema"] = "lark"

    def accepts(self, text: str) -> bool:
        """Return whether a text is in the language. Raises ValueError for an invalid grammar."""
        matcher = _compile_for_bytes(self).deep_copy()
        return _consume_text(matcher, text) and matcher.is_accepting()

    def accepts_prefix(self, text: str) -> bool:
        """Return whether a text of the language can start with this one. Raises ValueError for an invalid grammar."""
        return _consume_text(_compile_for_bytes(self).deep_copy(), text)


class GrammarState:
    """The position of one generated answer in its grammar."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def choose_token(self, logits: Tensor, best: int) -> int:
        """Return the allowed token of the greatest logit and move past it; `best` is the argmax of `logits`."""
        if self._matcher.try_consume_tokens([best]) == 1:  # most often, and it needs no mask
            return best
        token = int(self.mask_logits(logits).argmax())
        self.consume_token(token)
        return token

    def take_forced_tokens(self) -> list[int]:
        """Return the tokens that must come next whatever the model says, and move past them; most often none.

        They are as the tokenizer splits the text that must come next. Its last tokens are left out if they could become
        one with what follows.
        """
        tokens: list[int] = self._matcher.compute_ff_tokens()
        if tokens and not self._matcher.consume_tokens(tokens):
            raise ValueError(f"constrained decoding failed: {self._matcher.get_error()}")
        return tokens

    @property
    def is_complete(self) -> bool:
        """Whether nothing but the end can follow."""
        return bool(self._matcher.is_stopped())

    def mask_logits(self, logits: Tensor) -> Tensor:
        """Return logits (vocabulary,) that are -inf for every token which is not allowed next."""
        import numpy as np
        import torch

        words = np.zeros((logits.shape[-1] + 31) // 32, dtype=np.int32)  # one bit per token
        self._matcher.unsafe_compute_mask_ptr(words.ctypes.data, words.nbytes)
        allowed = np.unpackbits(words.view(np.uint8), bitorder="little")[: logits.shape[-1]]
        return logits.masked_fill(torch.from_numpy(allowed == 0).to(logits.device), float("-inf"))

    def consume_token(self, token: int) -> None:
        """Move past a token. Raises ValueError if the grammar does not allow it, or is too complex to follow."""
        if not self._matcher.consume_token(token):
            raise ValueError(f"constrained decoding failed: {self._matcher.get_error()}")


def start_grammars(
    grammars: Sequence[Grammar | None], tokenizer: Any, end_ids: frozenset[int], vocabulary: int
) -> list[GrammarState | None]:
    """Return the state of each answer before its first token, None for one without a grammar.

    `tokenizer` is a fast tokenizer of transformers, `vocabulary` the width of the model's logits. Raises ValueError for
    an invalid grammar.
    """
    return [
        GrammarState(_compile_for_model(grammar, tokenizer, end_ids, vocabulary).deep_copy()) if grammar else None
        for grammar in grammars
    ]


def _consume_text(matcher: LLMatcher, text: str) -> bool:
    ids = _load_byte_tokenizer().tokenize_str(text)
    return bool(matcher.try_consume_tokens(ids) == len(ids))


@lru_cache(maxsize=MAX_COMPILED_GRAMMARS)
def _compile_for_bytes(grammar: Grammar) -> LLMatcher:
    return _compile_grammar(grammar, _load_byte_tokenizer())


@lru_cache(maxsize=MAX_COMPILED_GRAMMARS)
def _compile_for_model(grammar: Grammar, tokenizer: Any, end_ids: frozenset[int], vocabulary: int) -> LLMatcher:
    return _compile_grammar(grammar, _build_model_tokenizer(tokenizer, end_ids, vocabulary))


def _compile_grammar(grammar: Grammar, tokenizer: LLTokenizer) -> LLMatcher:
    from llguidance import LLMatcher

    if grammar.syntax == "json-schema":
        source = LLMatcher.grammar_from_json_schema(json.loads(grammar.source), overrides=JSON_OPTIONS)
    else:
        source = LLMatcher.grammar_from_lark(grammar.source)
    matcher = LLMatcher(tokenizer, source, log_level=0)
    if matcher.is_error():
        raise ValueError(f"invalid grammar: {' '.join(matcher.get_error().split())}")
    return matcher


@lru_cache(maxsize=1)
def _load_byte_tokenizer() -> LLTokenizer:
    from llguidance import LLTokenizer

    return LLTokenizer(BYTE_TOKENIZER)


@lru_cache(maxsize=4)
def _build_model_tokenizer(tokenizer: Any, end_ids: frozenset[int], vocabulary: int) -> LLTokenizer:
    """Build the tokenizer of a model once: it takes a few tenths of a second."""
    from llguidance.hf import from_tokenizer

    return from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=sorted(end_ids))
