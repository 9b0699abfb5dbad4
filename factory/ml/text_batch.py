"""A batch of tokenised texts as objectives build it; a backend packs or pads it when its model reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Ids = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Token ids of each text, its segment ids if it has any, and where its completion starts if it has one.

    Raises ValueError for no text or an empty one, and for a completion outside its text.
    """

    ids: Ids
    segments: Ids | None = None
    starts: Sequence[int] = ()

    def __post_init__(self) -> None:
        if not self.ids or not all(self.ids):
            raise ValueError("a batch needs texts, and each at least one token")
        if self.starts and any(not 0 < start < len(text) for start, text in zip(self.starts, self.ids, strict=True)):
            raise ValueError("completions must start after the first token and before the end of their text")


def pad_token_ids(ids: Ids) -> tuple[Tensor, Tensor]:
    """Return token ids (n, longest), right-padded with 0, and their attention mask."""
    tokens = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, text in enumerate(ids):
        tokens[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return torch.from_numpy(tokens), torch.from_numpy(mask)
