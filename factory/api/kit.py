"""The heavy toolbox that a job hands to a plugin: what it does, without importing what it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from factory.api.rows import TrainResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from factory.api.jobs import Base, FitJob, Reporter

Ids = Sequence[Sequence[int]]
Pairs = Sequence[tuple[str, str]]


class Encoder(Protocol):
    """A transformers encoder in evaluation mode, and the tokenizer of its base."""

    model: nn.Module
    tokenizer: Any

    def tokens(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut to `limit`."""

    def pairs(self, pairs: Pairs, limit: int) -> list[tuple[list[int], list[int]]]:
        """Token ids and segment ids of each pair of texts, the longer text cut first to `limit` in all."""

    def vectors(self, ids: Ids, report: Reporter | None = None) -> list[Tensor]:
        """Token vectors of the last layer, one (tokens, hidden) tensor in fp32 for each text."""

    def logits(self, pairs: Sequence[tuple[list[int], list[int]]], report: Reporter | None = None) -> Tensor:
        """The head's outputs for tokenised pairs: (pairs, labels)."""


class Learner(Protocol):
    """A model with fresh adapters in training mode, and the tokenizer of its base."""

    model: nn.Module
    tokenizer: Any


class Kit(Protocol):
    """Models, adapters, batches and the one trainer. Its first use imports torch."""

    def embed(self, base: Base, texts: Sequence[str], report: Reporter | None = None) -> NDArray[np.float32]:
        """Mean-pooled, L2-normalised sentence embeddings of the base alone: (len(texts), hidden)."""

    def encoder(self, base: Base, adapter: Path | None = None, *, labels: int = 0) -> Encoder:
        """The base in fp32, with a saved adapter added to its weights; with `labels`, under its saved head."""

    def learner(self, job: FitJob, *, heads: tuple[str, ...] = (), labels: int = 0) -> Learner:
        """The base with a fresh adapter on every linear layer; with `labels`, under a fresh head named in `heads`."""

    def fit(
        self, learner: Learner, rows: Sequence[Any], collate: Callable[[list[Any]], Any],
        loss: Callable[[nn.Module, Any], Tensor], job: FitJob, *, heads: tuple[str, ...] = (), task_type: str = "",
    ) -> TrainResult:
        """Train to the end, resuming where an interrupted fit was, and write the adapter to `job.out` as PEFT does."""

    def pack(self, ids: Ids, segments: Ids | None = None) -> Any:
        """A batch of tokenised texts without padding, for `hidden` and `logits`."""

    def hidden(self, model: nn.Module, batch: Any) -> list[Tensor]:
        """Token vectors of each text of a batch, (tokens, hidden) in fp32, with gradients."""

    def logits(self, model: nn.Module, batch: Any) -> Tensor:
        """The head's outputs for each text of a batch, (texts, labels) in fp32, with gradients."""
