"""A batch of tokenised texts as objectives build it; a backend packs or pads it when its model reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

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


@dataclass(frozen=True, slots=True)
class AnswerBatch:
    """Token ids of prompts, and of the answers to each; all prompts have as many.

    Raises ValueError for no prompt, a prompt or answer without tokens, and different numbers of answers.
    """

    prompts: Ids
    answers: Sequence[Ids]

    def __post_init__(self) -> None:
        if not self.prompts or not all(self.prompts) or not all(all(own) for own in self.answers):
            raise ValueError("a batch needs prompts, and each prompt and answer at least one token")
        if {*map(len, self.answers)} != {self.width} or len(self.answers) != len(self.prompts) or not self.width:
            raise ValueError("every prompt of a batch needs the same number of answers, at least one")

    @property
    def width(self) -> int:
        """The number of answers to a prompt."""
        return len(self.answers[0])

    def join_texts(self) -> TextBatch:
        """Return every answer after its prompt as a text of its own, the answers to a prompt in turn."""
        pairs = [(prompt, answer) for prompt, own in zip(self.prompts, self.answers, strict=True) for answer in own]
        return TextBatch([[*prompt, *answer] for prompt, answer in pairs], starts=[len(prompt) for prompt, _ in pairs])


def pad_token_ids(ids: Ids, padding: int = 0) -> tuple[Tensor, Tensor]:
    """Return token ids (n, longest), right-padded with `padding`, and their attention mask."""
    tokens = np.full((len(ids), max(map(len, ids))), padding, dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, text in enumerate(ids):
        tokens[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return torch.from_numpy(tokens), torch.from_numpy(mask)


def sum_answer_logprobs(logits: Tensor, targets: Tensor, answers: Sequence[int], lengths: Sequence[int]) -> Tensor:
    """Return the log-probability of each answer from the logits (tokens, vocabulary) of all answers' tokens.

    `answers` are the places of the answers in the result in the order of their tokens, with their `lengths`.
    """
    logprobs = -functional.cross_entropy(logits, targets, reduction="none")
    owners = torch.repeat_interleave(torch.tensor(answers), torch.tensor(lengths)).to(logits.device)
    return logprobs.new_zeros(len(lengths)).index_add(0, owners, logprobs)
