"""A causal language model with its tokenizer and chat template; a backend adds how it generates and scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig

from factory.api import Generation, Grammar, Message, Reporter
from factory.api.causal_lm.transformers_answers import find_end_ids, tokenize_chat
from factory.ml.text_batch import Ids


@dataclass(frozen=True, slots=True)
class ChatModel(ABC):
    """A causal language model in evaluation mode, with its tokenizer and chat template."""

    model: Any
    tokenizer: Any
    on_text: Callable[[str], None] | None = None
    """Called with the text so far after every token when a single prompt is decoded."""

    def tokenize_chat(self, messages: Sequence[Message]) -> list[int]:
        """Return the token ids of a chat in the base's own template, with the generation prompt.

        Raises ValueError for a base without a chat template.
        """
        return tokenize_chat(self.tokenizer, messages)

    def tokenize_answer(self, text: str) -> list[int]:
        """Return the token ids of an assistant message and its EOS token, tokenised apart from the prompt."""
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id]

    def decode_ids(self, ids: list[int]) -> str:
        """Return the text of token ids without special tokens."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def find_end_ids(self) -> frozenset[int]:
        """Return the ids that end an answer."""
        return find_end_ids(self.model, self.tokenizer)

    @abstractmethod
    def generate_texts(
        self, prompts: Ids, limit: int, grammars: Sequence[Grammar | None] = (), report: Reporter | None = None,
        *, temperature: float = 0.0, seeds: Sequence[int] = (),
    ) -> list[Generation]:
        """Generate up to `limit` tokens for each prompt, in the language of its grammar if there is one.

        Greedy at temperature 0, else sampled with one seed per prompt.
        """

    @abstractmethod
    def compute_token_logprobs(
        self, prompts: Ids, answers: Sequence[Ids], report: Reporter | None = None
    ) -> list[list[list[float]]]:
        """Return the log-probabilities of the tokens of each answer after its prompt; `answers` per prompt."""

    def compute_choice_logprobs(
        self, prompts: Ids, choices: Sequence[Ids], report: Reporter | None = None
    ) -> list[list[float]]:
        """Return the log-probability of each choice after its prompt, summed over tokens; `choices` per prompt."""
        scored = self.compute_token_logprobs(prompts, choices, report)
        return [[sum(tokens) for tokens in row] for row in scored]

    def compute_answer_logprobs(self, prompts: Ids, answers: Ids) -> list[list[float]]:
        """Return the log-probability of every token of each prompt's answer."""
        scored = self.compute_token_logprobs(prompts, [[answer] for answer in answers])
        return [row[0] for row in scored]

    @torch.inference_mode()
    def compute_token_logits(self, ids: Ids) -> list[Tensor]:
        """Return the logits after every token of each text: one (tokens, vocabulary) tensor in fp32."""
        rows = (torch.tensor([list(text)], device=self.model.device) for text in ids)
        return [self.model(input_ids=row, use_cache=False).logits[0].float().cpu() for row in rows]


def read_causal_config(folder: Path) -> Any:
    """Return the config of a causal model. Raises ValueError for a base without a language-model head."""
    config = AutoConfig.from_pretrained(folder)
    if not any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.architectures or ()):
        raise ValueError(f"the base is a {config.model_type} without a language-model head; choose a generative base")
    return config
