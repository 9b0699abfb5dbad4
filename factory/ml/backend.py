"""Backends: the ways to load, train and ask a model. The packed kernels are the fastest on a CPU, for the models that
they know; transformers' own code runs every model on every device.

Both give the same logits, losses and gradients in fp32, up to rounding.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from factory.api import Adapter, FitJob
from factory.api.training_args import BackendName
from factory.ml.chat_model import ChatModel
from factory.ml.encoder import TransformersEncoder
from factory.ml.text_batch import AnswerBatch, TextBatch
from factory.ml.trainer import Learner


class Backend(Protocol):
    """One way to load, train and ask a model. `folder` is that of a whole model, in Hugging Face format."""

    name: BackendName
    summary: str
    """What it is, for the journal."""

    def explain_refusal(
        self, folder: Path, *, causal: bool, labels: int = 0, adapter: Adapter | None = None
    ) -> str:
        """Return why this backend cannot run a model, with a head if `labels`, or train what `adapter` says, or ""."""

    def runs_model(self, model: Any) -> bool:
        """Return whether a loaded model is in the form that the `compute_` methods need."""

    def load_encoder(self, folder: Path, labels: int) -> TransformersEncoder:
        """Load an encoder in fp32 on the device of this machine; with `labels`, with a classification head."""

    def load_decoder(self, folder: Path, adapter: Path | None, *, exact: bool = False) -> ChatModel:
        """Load a causal model on the device of this machine, with a saved adapter merged in; with `exact`, in fp32.

        Raises ValueError for a model without a language-model head, or an adapter that does not fit.
        """

    def create_learner(self, job: FitJob, modules_to_save: tuple[str, ...], *, labels: int, causal: bool) -> Learner:
        """Create the base in training mode: with a new adapter on linear layers but the heads, or with all its weights
        or those of new modules to train, as `job.adapter` says."""

    def compute_hidden_states(self, model: nn.Module, batch: TextBatch) -> list[Tensor]:
        """Return the last hidden states of each text: (tokens, hidden) in fp32, with gradients."""

    def compute_head_logits(self, model: nn.Module, batch: TextBatch) -> Tensor:
        """Return the logits of the head for each text: (texts, labels) in fp32, with gradients."""

    def compute_completion_logits(self, model: nn.Module, batch: TextBatch) -> tuple[Tensor, Tensor]:
        """Return (logits, targets) of all completion tokens: (tokens, vocabulary) in fp32 with gradients, (tokens,)."""

    def compute_sequence_logprobs(self, model: nn.Module, batch: AnswerBatch) -> Tensor:
        """Return the log-probability of each answer, summed over tokens: (prompts, answers) in fp32, with gradients."""
