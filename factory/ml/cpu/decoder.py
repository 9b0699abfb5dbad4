"""A causal language model for inference: chat template, text generation and log-probabilities of choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer

from factory.api import Generation, Grammar, Message, Reporter
from factory.api.grammar import start_grammars
from factory.ml.adapter_merge import merge_adapter
from factory.ml.cpu import choice_logprobs, generation, packed_attention
from factory.ml.cpu.encoder import Ids
from factory.ml.device import choose_device, choose_inference_dtype


@dataclass(frozen=True, slots=True)
class TransformersDecoder:
    """A causal language model in evaluation mode, with its tokenizer and chat template."""

    model: Any
    tokenizer: Any
    on_text: Callable[[str], None] | None = None
    """Called with the text so far after every token when a single prompt is decoded."""

    def tokenize_chat(self, messages: Sequence[Message]) -> list[int]:
        """Return the token ids of a chat in the base's own template, with the generation prompt.

        Raises ValueError for a base without a chat template.
        """
        if not self.tokenizer.chat_template:
            raise ValueError("the base's tokenizer has no chat template; choose an instruction-tuned base")
        turns = [{"role": message.role, "content": message.content} for message in messages]
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def tokenize_answer(self, text: str) -> list[int]:
        """Return the token ids of an assistant message and its EOS token, tokenised apart from the prompt."""
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id]

    def decode_ids(self, ids: list[int]) -> str:
        """Return the text of token ids without special tokens."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def generate_texts(
        self, prompts: Ids, limit: int, grammars: Sequence[Grammar | None] = (), report: Reporter | None = None,
        *, temperature: float = 0.0, seeds: Sequence[int] = (),
    ) -> list[Generation]:
        """Generate up to `limit` tokens for each prompt, in the language of its grammar if there is one.

        Greedy at temperature 0, else sampled with one seed per prompt.
        """
        context, width = self.build_decoding_context(), self.model.get_output_embeddings().weight.shape[0]
        states = start_grammars(grammars, self.tokenizer, context.end_ids, width)
        generated = generation.generate_token_ids(
            context, prompts, limit, states, report, temperature=temperature, seeds=seeds
        )
        return [Generation(self.decode_ids(ids), len(ids), len(ids) < limit) for ids in generated]

    def build_decoding_context(self) -> generation.DecodingContext:
        """Return the model, end ids and decoding functions for `generate_token_ids`."""
        configured = getattr(self.model.generation_config, "eos_token_id", None)  # one id, a list, or None
        candidates = [self.tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])]
        end_ids = frozenset(token for token in candidates if token is not None)
        return generation.DecodingContext(self.model, end_ids, self.decode_ids, self.on_text)

    def compute_choice_logprobs(
        self, prompts: Ids, choices: Sequence[Ids], report: Reporter | None = None
    ) -> list[list[float]]:
        """Return the log-probability of each choice after its prompt, summed over tokens; `choices` per prompt."""
        return choice_logprobs.compute_choice_logprobs(self.model, prompts, choices, report)

    def compute_answer_logprobs(self, prompts: Ids, answers: Ids) -> list[list[float]]:
        """Return the log-probability of every token of each prompt's answer."""
        scored = choice_logprobs.compute_token_logprobs(self.model, prompts, [[answer] for answer in answers])
        return [row[0].tolist() for row in scored]

    @torch.inference_mode()
    def compute_token_logits(self, ids: Ids) -> list[Tensor]:
        """Return the logits after every token of each text: one (tokens, vocabulary) tensor in fp32."""
        rows = (torch.tensor([list(text)], device=self.model.device) for text in ids)
        return [self.model(input_ids=row, use_cache=False).logits[0].float().cpu() for row in rows]


def load_decoder(folder: Path, adapter: Path | None = None) -> TransformersDecoder:
    """Load a base in the dtype that runs fastest on this machine, with a saved adapter merged in.

    Raises ValueError for a base that is not a causal language model, or an adapter that does not fit it.
    """
    model = packed_attention.load_causal_model(folder, choose_inference_dtype())
    if adapter is not None:
        merge_adapter(model, adapter)
    return TransformersDecoder(model.to(choose_device()), AutoTokenizer.from_pretrained(folder))
