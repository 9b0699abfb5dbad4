"""The heavy toolbox that a job hands to a plugin: what it does, without importing what it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from factory.api.rows import Guide, Message, TrainResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from factory.api.jobs import Base, FitJob, Reporter

TokenIds = Sequence[Sequence[int]]
TextPairs = Sequence[tuple[str, str]]


class Encoder(Protocol):
    """A transformers encoder in evaluation mode, and the tokenizer of its base."""

    model: nn.Module
    tokenizer: Any

    def tokenize_texts(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut to `limit`."""

    def tokenize_pairs(self, pairs: TextPairs, limit: int) -> list[tuple[list[int], list[int]]]:
        """Token ids and segment ids of each pair of texts, the longer text cut first to `limit` in all."""

    def compute_token_vectors(self, ids: TokenIds, report: Reporter | None = None) -> list[Tensor]:
        """Token vectors of the last layer, one (tokens, hidden) tensor in fp32 for each text."""

    def compute_pair_logits(self, pairs: Sequence[tuple[list[int], list[int]]], report: Reporter | None = None) -> Tensor:
        """The head's outputs for tokenised pairs: (pairs, labels)."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What a decoder wrote: its text, its tokens, and whether it came to an end by itself."""

    text: str
    tokens: int
    finished: bool


class Decoder(Protocol):
    """A causal language model in evaluation mode, with its tokenizer and chat template."""

    model: nn.Module
    tokenizer: Any

    def tokenize_chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a chat, by the base's own template, up to where the assistant begins to speak."""

    def tokenize_answer(self, text: str) -> list[int]:
        """Token ids of what the assistant says, its end of turn included."""

    def generate_texts(
        self, prompts: TokenIds, limit: int, guides: Sequence[Guide | None] = (), report: Reporter | None = None
    ) -> list[str]:
        """The greedy continuation of each prompt, at most `limit` tokens, under its guide if it has one."""

    def sample_texts(
        self, prompts: TokenIds, limit: int, guides: Sequence[Guide | None] = (), temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Generation]:
        """A continuation of each prompt, drawn from its seed, or greedy at temperature 0."""

    def compute_choice_logprobs(
        self, prompts: TokenIds, choices: Sequence[TokenIds], report: Reporter | None = None
    ) -> list[list[float]]:
        """The log-probability of each choice after its prompt: a list of choices for each prompt, sums over tokens."""

    def compute_token_logits(self, ids: TokenIds) -> list[Tensor]:
        """The logits after every token of each text: (tokens, vocabulary) in fp32."""


class TrainableModel(Protocol):
    """A model with fresh adapters in training mode, and the tokenizer of its base."""

    model: nn.Module
    tokenizer: Any


class Kit(Protocol):
    """Models, adapters, batches and the one trainer. Its first use imports torch."""

    def embed(self, base: Base, texts: Sequence[str], report: Reporter | None = None) -> NDArray[np.float32]:
        """Mean-pooled, L2-normalised sentence embeddings of the base alone: (len(texts), hidden)."""

    def load_encoder(self, base: Base, adapter: Path | None = None, *, labels: int = 0) -> Encoder:
        """The base in fp32, with a saved adapter added to its weights; with `labels`, under its saved head."""

    def load_decoder(self, base: Base, adapter: Path | None = None) -> Decoder:
        """A causal base, with a saved adapter added to its weights."""

    def create_learner(
        self, job: FitJob, *, heads: tuple[str, ...] = (), labels: int = 0, causal: bool = False
    ) -> TrainableModel:
        """The base with a fresh adapter on every linear layer; with `labels`, under a fresh head named in `heads`.

        A `causal` one predicts the next token, and its own head stays as it is.
        """

    def fit(
        self, learner: TrainableModel, rows: Sequence[Any], collate: Callable[[list[Any]], Any],
        loss: Callable[[nn.Module, Any], Tensor], job: FitJob, *, heads: tuple[str, ...] = (), task_type: str = "",
    ) -> TrainResult:
        """Train to the end, resuming where an interrupted fit was, and write the adapter to `job.out` as PEFT does."""

    def pack_batch(self, ids: TokenIds, segments: TokenIds | None = None) -> Any:
        """A batch of tokenised texts without padding, for `hidden` and `logits`."""

    def compute_hidden_states(self, model: nn.Module, batch: Any) -> list[Tensor]:
        """Token vectors of each text of a batch, (tokens, hidden) in fp32, with gradients."""

    def compute_head_logits(self, model: nn.Module, batch: Any) -> Tensor:
        """The head's outputs for each text of a batch, (texts, labels) in fp32, with gradients."""

    def build_completion_batch(self, ids: TokenIds, starts: Sequence[int]) -> Any:
        """A batch of tokenised texts for `spoken`, without padding; what all begin with is held, and read, once."""

    def compute_completion_logits(self, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        """What a causal model makes of the tokens from `starts` of each text on: logits (tokens, vocabulary) in fp32,
        with gradients, and the tokens themselves."""
