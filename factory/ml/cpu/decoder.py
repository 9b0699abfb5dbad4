"""A causal base that answers: free text, or how likely each of a few answers is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer

from factory.api import Generation, Guide, Message, Reporter
from factory.ml import chat_template
from factory.ml.cpu import choice_logprobs, generation, packed_attention
from factory.ml.cpu.encoder import merge_adapter
from factory.ml.cpu.generation import Ids
from factory.ml.precision import choose_inference_dtype


@dataclass(frozen=True, slots=True)
class TransformersDecoder:
    """A causal language model in evaluation mode, with its tokenizer and chat template."""

    model: Any
    tokenizer: Any
    on_text: Callable[[str], None] | None = None
    """Is told what an answer says while it is written, when one alone is."""

    def tokenize_chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a chat, by the base's own template, up to where the assistant begins to speak."""
        return chat_template.encode_chat_prompt(self.tokenizer, messages)

    def tokenize_answer(self, text: str) -> list[int]:
        """Token ids of what the assistant says, its end of turn included."""
        return chat_template.encode_assistant_turn(self.tokenizer, text)

    def decode_ids(self, ids: list[int]) -> str:
        """What ids say, special tokens left out."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def generate_texts(
        self, prompts: Ids, limit: int, guides: Sequence[Guide | None] = (), report: Reporter | None = None
    ) -> list[str]:
        """The greedy continuation of each prompt, at most `limit` tokens, under its guide if it has one."""
        return [self.decode_ids(ids) for ids in generation.generate_token_ids(self.build_decoding_context(), prompts, limit, guides, report)]

    def sample_texts(
        self, prompts: Ids, limit: int, guides: Sequence[Guide | None] = (), temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Generation]:
        """A continuation of each prompt, drawn from its seed, or greedy at temperature 0."""
        found = generation.generate_token_ids(self.build_decoding_context(), prompts, limit, guides, temperature=temperature, seeds=seeds)
        return [Generation(self.decode_ids(ids), len(ids), len(ids) < limit) for ids in found]

    def build_decoding_context(self) -> generation.DecodingContext:
        """What decoding needs to know."""
        ends = chat_template.find_end_ids(self.tokenizer, self.model)
        return generation.DecodingContext(self.model, ends, self.decode_ids, frozenset(self.tokenizer.all_special_ids), self.on_text)

    def compute_choice_logprobs(self, prompts: Ids, choices: Sequence[Ids], report: Reporter | None = None) -> list[list[float]]:
        """The log-probability of each choice after its prompt: a list of choices for each prompt, sums over tokens."""
        return choice_logprobs.compute_choice_logprobs(self.model, prompts, choices, report)

    @torch.inference_mode()
    def compute_token_logits(self, ids: Ids) -> list[Tensor]:
        """The logits after every token of each text: (tokens, vocabulary) in fp32."""
        found: list[Tensor] = []
        for text in ids:
            tokens = torch.tensor([list(text)], device=self.model.device)
            found.append(self.model(input_ids=tokens, use_cache=False).logits[0].float().cpu())
        return found


def load_decoder(folder: Path, adapter: Path | None = None) -> TransformersDecoder:
    """The base in the type in which it answers fastest here, with a saved adapter added to its weights.

    Raises ValueError for a base that is no causal language model, or an adapter that does not fit it.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = packed_attention.load_causal_model(folder, choose_inference_dtype())
    if adapter is not None:
        merge_adapter(model, adapter)
    return TransformersDecoder(model.to(device), AutoTokenizer.from_pretrained(folder))
