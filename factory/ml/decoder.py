"""A causal base that answers: free text, or how likely each of a few answers is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer

from factory.api import Guide, Message, Reporter, Generation
from factory.ml import causal, chat, generate, weigh
from factory.ml.encoder import merge
from factory.ml.generate import Ids
from factory.ml.precision import resident


@dataclass(frozen=True, slots=True)
class Decoder:
    """A causal language model in evaluation mode, with its tokenizer and chat template."""

    model: Any
    tokenizer: Any
    heard: Callable[[str], None] | None = None
    """Is told what an answer says while it is written, when one alone is."""

    def chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a chat, by the base's own template, up to where the assistant begins to speak."""
        return chat.prompt(self.tokenizer, messages)

    def said(self, text: str) -> list[int]:
        """Token ids of what the assistant says, its end of turn included."""
        return chat.said(self.tokenizer, text)

    def text(self, ids: list[int]) -> str:
        """What ids say, special tokens left out."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def write(
        self, prompts: Ids, limit: int, guides: Sequence[Guide | None] = (), report: Reporter | None = None
    ) -> list[str]:
        """The greedy continuation of each prompt, at most `limit` tokens, under its guide if it has one."""
        return [self.text(ids) for ids in generate.write(self.reader(), prompts, limit, guides, report)]

    def sample(
        self, prompts: Ids, limit: int, guides: Sequence[Guide | None] = (), temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Generation]:
        """A continuation of each prompt, drawn from its seed, or greedy at temperature 0."""
        found = generate.write(self.reader(), prompts, limit, guides, temperature=temperature, seeds=seeds)
        return [Generation(self.text(ids), len(ids), len(ids) < limit) for ids in found]

    def reader(self) -> generate.Reader:
        """What decoding needs to know."""
        ends = chat.ends(self.tokenizer, self.model)
        return generate.Reader(self.model, ends, self.text, frozenset(self.tokenizer.all_special_ids), self.heard)

    def weigh(self, prompts: Ids, choices: Sequence[Ids], report: Reporter | None = None) -> list[list[float]]:
        """The log-probability of each choice after its prompt: a list of choices for each prompt, sums over tokens."""
        return weigh.weigh(self.model, prompts, choices, report)

    @torch.inference_mode()
    def logits(self, ids: Ids) -> list[Tensor]:
        """The logits after every token of each text: (tokens, vocabulary) in fp32."""
        found: list[Tensor] = []
        for text in ids:
            tokens = torch.tensor([list(text)], device=self.model.device)
            found.append(self.model(input_ids=tokens, use_cache=False).logits[0].float().cpu())
        return found


def load(folder: Path, adapter: Path | None = None) -> Decoder:
    """The base in the type in which it answers fastest here, with a saved adapter added to its weights.

    Raises ValueError for a base that is no causal language model, or an adapter that does not fit it.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = causal.load(folder, resident())
    if adapter is not None:
        merge(model, adapter)
    return Decoder(model.to(device), AutoTokenizer.from_pretrained(folder))
