"""Protocols of the training and inference library that a job gives to a plugin; importing them loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from factory.api.grammar import Grammar
from factory.api.rows import Message, TrainResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from factory.api.artifact import Artifact
    from factory.api.jobs import Base, FitJob, Reporter

EMBED_MAX_TOKENS = 128
"""Maximum tokens per text in `Kit.embed`; longer texts are truncated."""
TokenIds = Sequence[Sequence[int]]
TextPairs = Sequence[tuple[str, str]]


class Encoder(Protocol):
    """A transformers encoder in evaluation mode, with its tokenizer."""

    model: nn.Module
    tokenizer: Any

    def tokenize_texts(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """Return the token ids of each text with special tokens, truncated to `limit`."""

    def tokenize_pairs(self, pairs: TextPairs, limit: int) -> list[tuple[list[int], list[int]]]:
        """Return (token ids, segment ids) of each pair, truncated to `limit` in total from the longer text first."""

    def compute_token_vectors(self, ids: TokenIds, report: Reporter | None = None) -> list[Tensor]:
        """Return the last hidden states of each text: one (tokens, hidden) tensor in fp32."""

    def compute_pair_logits(
        self, pairs: Sequence[tuple[list[int], list[int]]], report: Reporter | None = None
    ) -> Tensor:
        """Return the logits of the classification head for tokenised pairs: (pairs, labels)."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A generated text, its number of tokens, and whether it ended with an end-of-turn token (not at the limit)."""

    text: str
    tokens: int
    finished: bool


class Decoder(Protocol):
    """A causal language model in evaluation mode, with its tokenizer and chat template."""

    model: nn.Module
    tokenizer: Any

    def tokenize_chat(self, messages: Sequence[Message]) -> list[int]:
        """Return the token ids of a chat in the base's own template, with the generation prompt."""

    def tokenize_answer(self, text: str) -> list[int]:
        """Return the token ids of an assistant message with its end-of-turn token."""

    def generate_texts(
        self, prompts: TokenIds, limit: int, grammars: Sequence[Grammar | None] = (), report: Reporter | None = None,
        *, temperature: float = 0.0, seeds: Sequence[int] = (),
    ) -> list[Generation]:
        """Generate up to `limit` tokens for each prompt, in the language of its grammar if there is one.

        Greedy at temperature 0, else sampled with one seed per prompt.
        """

    def compute_choice_logprobs(
        self, prompts: TokenIds, choices: Sequence[TokenIds], report: Reporter | None = None
    ) -> list[list[float]]:
        """Return the log-probability (summed over tokens) of each choice after its prompt; `choices` per prompt."""

    def compute_answer_logprobs(self, prompts: TokenIds, answers: TokenIds) -> list[list[float]]:
        """Return the log-probability of every token of each prompt's answer."""

    def compute_token_logits(self, ids: TokenIds) -> list[Tensor]:
        """Return the logits after every token of each text: one (tokens, vocabulary) tensor in fp32."""


class TrainableModel(Protocol):
    """A model with new adapters in training mode, with its tokenizer."""

    model: nn.Module
    tokenizer: Any


class Kit(Protocol):
    """Loading, training and running models and adapters. Its first use imports torch."""

    def embed(self, base: Base, texts: Sequence[str], report: Reporter | None = None) -> NDArray[np.float32]:
        """Return mean-pooled, L2-normalised sentence embeddings of the untuned base: (len(texts), hidden)."""

    def load_encoder(self, base: Base, artifact: Artifact | None = None, *, labels: int = 0) -> Encoder:
        """Load the base in fp32 with an adapter merged in, or whole weights in its place; with `labels`, also the saved
        classification head. Raises ValueError for an artifact of another base."""

    def load_decoder(self, base: Base, artifact: Artifact | None = None, *, exact: bool = False) -> Decoder:
        """Load a causal base with an adapter merged in, or whole weights in its place; with `exact` in fp32, else in
        the dtype that is fastest on this machine: in bf16, small updates of weights are lost to rounding.

        Raises ValueError for an artifact of another base.
        """

    def create_learner(
        self, job: FitJob, *, modules_to_save: tuple[str, ...] = (), labels: int = 0, causal: bool = False
    ) -> TrainableModel:
        """Create the base with what `job.adapter` says is trained: by default a new adapter on every linear layer; with
        `labels`, a new head in `modules_to_save`.

        With `causal` the model predicts the next token, and an adapter keeps its language-model head frozen. With
        `job.start` it is that adapter which is trained further. Raises ValueError for a start that is no adapter of
        this rank, alpha and base.
        """

    def fit(  # noqa: PLR0913 (all that a training needs)
        self, learner: TrainableModel, rows: Sequence[Any], collate: Callable[[list[Any]], Any],
        loss: Callable[[nn.Module, Any], Tensor], job: FitJob, *, modules_to_save: tuple[str, ...] = (),
        task_type: str = "", validation: Sequence[Any] = (),
    ) -> TrainResult:
        """Train to the end, resuming from a checkpoint if there is one, and save a PEFT adapter or the whole model to
        `job.out`, as `job.adapter` says; `artifact` of the result tells which.

        `validation` has the form of `rows`: with `keep: best`, the weights with the lowest loss on it are saved.
        """

    def load_adapter_tensors(self, folder: Path) -> dict[str, Tensor]:
        """Return the tensors of a saved adapter by their names in PEFT's format, or those of a saved model."""

    def save_adapter_tensors(self, folder: Path, tensors: dict[str, Tensor]) -> None:
        """Replace the tensors of a saved adapter, or of a saved model."""

    def build_text_batch(self, ids: TokenIds, segments: TokenIds | None = None) -> Any:
        """Return tokenised texts as a batch for `compute_hidden_states` and `compute_head_logits`."""

    def compute_hidden_states(self, model: nn.Module, batch: Any) -> list[Tensor]:
        """Return the last hidden states of each text of a batch: (tokens, hidden) in fp32, with gradients."""

    def compute_head_logits(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the logits of the head for each text of a batch: (texts, labels) in fp32, with gradients."""

    def build_completion_batch(self, ids: TokenIds, starts: Sequence[int]) -> Any:
        """Return tokenised texts as a batch for `compute_completion_logits`; completions begin at `starts`."""

    def compute_completion_logits(self, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        """Return (logits, targets) of all completion tokens, those from `starts` on: (tokens, vocabulary) in fp32 with
        gradients, and (tokens,)."""

    def build_answer_batch(self, prompts: TokenIds, answers: Sequence[TokenIds]) -> Any:
        """Return tokenised prompts with their answers, as many of each prompt, as a batch for
        `compute_sequence_logprobs`."""

    def compute_sequence_logprobs(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the log-probability of each answer after its prompt, summed over its tokens: (prompts, answers of a
        prompt) in fp32, with gradients."""

    def compute_reference_logprobs(self, learner: TrainableModel, batches: Iterable[Any]) -> list[Tensor]:
        """Return `compute_sequence_logprobs` of the model that training starts from, without dropout and gradients.

        Call it before `fit`: the learner is its own reference then, as a new adapter changes nothing yet, and one that
        is continued is that of `job.start`.
        """
