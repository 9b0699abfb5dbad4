"""Perplexity of texts under a causal model, before and after training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files

from factory.api import Decoder

MAX_MEASURED = 64
"""Pieces of documents that are measured at most."""


def read_general_texts() -> list[str]:
    """Return short texts about everyday matters, which no domain owns: what training on documents may spoil."""
    text = files("factory_objectives").joinpath("general.txt").read_text(encoding="utf-8")
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def split_document(ids: Sequence[int], limit: int) -> list[list[int]]:
    """Return the pieces of a document of up to `limit` tokens; one token alone predicts nothing and is left out."""
    pieces = [list(ids[start : start + limit]) for start in range(0, len(ids), limit)]
    return [piece for piece in pieces if len(piece) > 1]


def compute_perplexity(decoder: Decoder, pieces: Sequence[Sequence[int]]) -> float:
    """Return the exponential of the mean cross-entropy per token, of all tokens but the first of each piece."""
    logprobs = decoder.compute_answer_logprobs([piece[:1] for piece in pieces], [piece[1:] for piece in pieces])
    values = [value for own in logprobs for value in own]
    return math.exp(-math.fsum(values) / len(values))
