"""The implementation of `factory.api.Kit` that jobs give to plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from factory.api import Artifact, Base, FitJob, Kit, Reporter, TrainResult
from factory.api.kit import TokenIds
from factory.api.training_args import BackendChoice
from factory.ml import adapter_files, trainer
from factory.ml.adapter_merge import merge_adapter
from factory.ml.artifact_loading import locate_model_files
from factory.ml.backend import Backend
from factory.ml.chat_model import ChatModel, read_causal_config
from factory.ml.checkpoints import collect_trainable_parameters
from factory.ml.cpu.backend import PackedBackend
from factory.ml.device import choose_device, reset_torch_state
from factory.ml.encoder import TransformersEncoder
from factory.ml.hf.backend import TransformersBackend
from factory.ml.text_batch import AnswerBatch, TextBatch
from factory.ml.validation import evaluate_without_gradients
from factory.models.position_limit import read_position_limit

EMBED_MAX_TOKENS = 128
"""Maximum tokens per text in `embed`; longer texts are truncated."""
PACKED: Backend = PackedBackend()
PLAIN: Backend = TransformersBackend()


class ModelKit:
    """`factory.api.Kit` with the backend that a spec chooses: `cpu`, `hf`, or `auto` for each base."""

    def __init__(self, choice: BackendChoice = "auto") -> None:
        self.choice = choice

    def embed(self, base: Base, texts: Sequence[str], report: Reporter | None = None) -> NDArray[np.float32]:
        untuned, positions = self.load_encoder(base), read_position_limit(base.folder)
        limit = min(EMBED_MAX_TOKENS, positions or EMBED_MAX_TOKENS)
        vectors = untuned.compute_token_vectors(untuned.tokenize_texts(texts, limit), report)
        means = torch.stack([functional.normalize(text.mean(0), dim=0) for text in vectors])
        return cast("NDArray[np.float32]", means.numpy())

    def load_encoder(self, base: Base, artifact: Artifact | None = None, *, labels: int = 0) -> TransformersEncoder:
        reset_torch_state(0)
        if artifact is None and not labels:
            return _load_encoder_once(base)
        model, adapter = locate_model_files(base, artifact)
        loaded = choose_backend(self.choice, model, labels=labels).load_encoder(model, labels)
        if adapter is not None:
            merge_adapter(loaded.model, adapter)
        return loaded

    def load_decoder(self, base: Base, artifact: Artifact | None = None, *, exact: bool = False) -> ChatModel:
        reset_torch_state(0)
        return _load_decoder_once(self.choice, base, artifact, exact)

    def create_learner(
        self, job: FitJob, *, modules_to_save: tuple[str, ...] = (), labels: int = 0, causal: bool = False
    ) -> trainer.Learner:
        reset_torch_state(job.train.seed)
        backend = choose_backend(self.choice, job.base.folder, causal=causal, labels=labels)
        job.report.note(f"training with the backend {backend.name!r} ({backend.summary})")
        return backend.create_learner(job, modules_to_save, labels=labels, causal=causal)

    def fit(  # noqa: PLR0913 (all that a training needs)
        self, learner: trainer.Learner, rows: Sequence[Any], collate: Callable[[list[Any]], Any],
        loss: Callable[[nn.Module, Any], Tensor], job: FitJob, *, modules_to_save: tuple[str, ...] = (),
        task_type: str = "", validation: Sequence[Any] = (),
    ) -> TrainResult:
        steps, kept = trainer.train_learner(learner, rows, collate, loss, job, validation)
        adapter_files.save_adapter(
            learner, job.adapter, job.out, base=job.base.id, modules_to_save=modules_to_save, task_type=task_type
        )
        trainable = sum(tensor.numel() for tensor in collect_trainable_parameters(learner.model).values())
        facts = {"rows": len(rows), "backend": find_backend(learner.model).name, **kept}
        return TrainResult(steps, len(learner.list_adapted_layers()), trainable, learner.count_parameters(), facts)

    load_adapter_tensors = staticmethod(adapter_files.load_adapter_tensors)
    save_adapter_tensors = staticmethod(adapter_files.save_adapter_tensors)

    def build_text_batch(self, ids: TokenIds, segments: TokenIds | None = None) -> TextBatch:
        trainer.METER.count_tokens(ids)
        return TextBatch(ids, segments)

    def build_completion_batch(self, ids: TokenIds, starts: Sequence[int]) -> TextBatch:
        trainer.METER.count_tokens(ids)
        return TextBatch(ids, starts=starts)

    def compute_hidden_states(self, model: nn.Module, batch: TextBatch) -> list[Tensor]:
        return find_backend(model).compute_hidden_states(model, batch)

    def compute_head_logits(self, model: nn.Module, batch: TextBatch) -> Tensor:
        return find_backend(model).compute_head_logits(model, batch)

    def compute_completion_logits(self, model: nn.Module, batch: TextBatch) -> tuple[Tensor, Tensor]:
        return find_backend(model).compute_completion_logits(model, batch)

    def build_answer_batch(self, prompts: TokenIds, answers: Sequence[TokenIds]) -> AnswerBatch:
        trainer.METER.count_tokens(prompts)
        for own in answers:
            trainer.METER.count_tokens(own)
        return AnswerBatch(prompts, answers)

    def compute_sequence_logprobs(self, model: nn.Module, batch: AnswerBatch) -> Tensor:
        return find_backend(model).compute_sequence_logprobs(model, batch)

    def compute_reference_logprobs(self, learner: trainer.Learner, batches: Iterable[AnswerBatch]) -> list[Tensor]:
        with evaluate_without_gradients(learner):
            return [self.compute_sequence_logprobs(learner.model, batch).cpu() for batch in batches]


def choose_backend(choice: BackendChoice, folder: Path, *, causal: bool = False, labels: int = 0) -> Backend:
    """Return the backend of a spec's choice for a model; `auto` takes the packed kernels on a CPU if they know it.

    Raises ValueError if the choice cannot run the model.
    """
    refusal = PACKED.explain_refusal(folder, causal=causal, labels=labels)
    if choice == "cpu" and refusal:
        raise ValueError(f"train.backend is cpu, but {refusal}; use auto or hf")
    packed = choice == "cpu" or (choice == "auto" and not refusal and choose_device().type == "cpu")
    return PACKED if packed else PLAIN


def find_backend(model: nn.Module) -> Backend:
    """Return the backend that computes with a loaded model."""
    return PACKED if PACKED.runs_model(model) else PLAIN


@lru_cache(maxsize=2)
def _load_decoder_once(choice: BackendChoice, base: Base, artifact: Artifact | None, exact: bool) -> ChatModel:
    """Load a causal base once per process: preflight and contenders share it."""
    model, adapter = locate_model_files(base, artifact)
    read_causal_config(model)
    return choose_backend(choice, model, causal=True).load_decoder(model, adapter, exact=exact)


@lru_cache(maxsize=2)
def _load_encoder_once(base: Base) -> TransformersEncoder:
    """Load the untuned base once per process: preflight, tokenisation, retrieval and `untuned` share it.

    Without a head, both backends run the same model.
    """
    return PLAIN.load_encoder(base.folder, 0)


@cache
def load_kit(choice: BackendChoice = "auto") -> Kit:
    """Return the kit of a spec's choice of a backend."""
    return cast(Kit, ModelKit(choice))
