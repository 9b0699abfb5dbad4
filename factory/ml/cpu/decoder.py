"""The packed kernels' causal language model for inference: text generation and log-probabilities of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from factory.api import Generation, Grammar, Reporter
from factory.api.grammar import start_grammars
from factory.ml.chat_model import ChatModel
from factory.ml.cpu import choice_logprobs, generation
from factory.ml.text_batch import Ids


@dataclass(frozen=True, slots=True)
class PackedDecoder(ChatModel):
    """A causal model with the packed kernels' attention."""

    def generate_texts(
        self, prompts: Ids, limit: int, grammars: Sequence[Grammar | None] = (), report: Reporter | None = None,
        *, temperature: float = 0.0, seeds: Sequence[int] = (),
    ) -> list[Generation]:
        context, width = self.build_decoding_context(), self.model.get_output_embeddings().weight.shape[0]
        states = start_grammars(grammars, self.tokenizer, context.end_ids, width)
        generated = generation.generate_token_ids(
            context, prompts, limit, states, report, temperature=temperature, seeds=seeds
        )
        return [Generation(self.decode_ids(ids), len(ids), len(ids) < limit) for ids in generated]

    def build_decoding_context(self) -> generation.DecodingContext:
        """Return the model, end ids and decoding functions for `generate_token_ids`."""
        return generation.DecodingContext(self.model, self.find_end_ids(), self.decode_ids, self.on_text)

    def compute_token_logprobs(
        self, prompts: Ids, answers: Sequence[Ids], report: Reporter | None = None
    ) -> list[list[list[float]]]:
        return choice_logprobs.compute_token_logprobs(self.model, prompts, answers, report)
