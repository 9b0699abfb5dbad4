"""The implementation of `factory.api.Kit` that jobs give to plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from factory.api import Adapter, Artifact, Base, FitJob, Kit, Reporter, TrainResult
from factory.api.artifact import read_base_precision
from factory.api.kit import EMBED_MAX_TOKENS, TokenIds
from factory.api.training_args import BackendChoice
from factory.ml import adapter_files, trainer
from factory.ml.adapter_merge import merge_adapter
from factory.ml.artifact_loading import locate_model_files
from factory.ml.backend import Backend
from factory.ml.chat_model import ChatModel, read_causal_config
from factory.ml.checkpoints import collect_trainable_parameters
from factory.ml.cpu.backend import PackedBackend
from factory.ml.device import choose_device, find_stored_dtype, reset_torch_state
from factory.ml.encoder import TransformersEncoder
from factory.ml.hf.backend import TransformersBackend
from factory.ml.new_words import load_tokenizer
from factory.ml.start_artifact import load_start_adapter
from factory.ml.text_batch import AnswerBatch, TextBatch
from factory.ml.validation import evaluate_without_gradients, measure_loss
from factory.ml.weights_training import WeightsLearner, report_precisions, write_trained_weights
from factory.models.position_limit import read_position_limit

PACKED: Backend = PackedBackend()
PLAIN: Backend = TransformersBackend()


class ModelKit:
    """`factory.api.Kit` with the backend that a spec chooses: `cpu`, `hf`, or `auto` for each base.

    The tokenizers of untuned decoders know `words`, which are about to be learnt.
    """

    def __init__(self, choice: BackendChoice = "auto", words: tuple[str, ...] = ()) -> None:
        self.choice, self.words = choice, words

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
        decoder = _load_decoder_once(self.choice, base, artifact, exact)
        if artifact is not None or not self.words:
            return decoder
        return replace(decoder, tokenizer=load_tokenizer(base.folder, words=self.words))

    def create_learner(
        self, job: FitJob, *, modules_to_save: tuple[str, ...] = (), labels: int = 0, causal: bool = False
    ) -> trainer.Learner:
        reset_torch_state(job.train.seed)
        choice = "hf" if job.train.gradient_checkpointing else self.choice
        backend = choose_backend(choice, job.base.folder, causal=causal, labels=labels, adapter=job.adapter)
        refusal = PACKED.explain_refusal(job.base.folder, causal=causal, labels=labels, adapter=job.adapter)
        why = f": {refusal}" if backend is PLAIN and self.choice == "auto" and refusal else ""
        job.report.note(f"training with the backend {backend.name!r} ({backend.summary}){why}")
        learner = backend.create_learner(job, modules_to_save, labels=labels, causal=causal)
        if job.start is not None:
            load_start_adapter(learner, job.start, job)
        return learner

    def fit(  # noqa: PLR0913 (all that a training needs)
        self, learner: trainer.Learner, rows: Sequence[Any], collate: Callable[[list[Any]], Any],
        loss: Callable[[nn.Module, Any], Tensor], job: FitJob, *, modules_to_save: tuple[str, ...] = (),
        task_type: str = "", validation: Sequence[Any] = (),
    ) -> TrainResult:
        if not collect_trainable_parameters(learner.model):
            raise ValueError("adapter.kind is head, but the objective trains no new head; use lora or full")
        steps, kept = trainer.train_learner(learner, rows, collate, loss, job, validation)
        trainable = sum(tensor.numel() for tensor in collect_trainable_parameters(learner.model).values())
        facts = {"rows": len(rows), "backend": find_backend(learner.model).name, **kept}
        layers, parameters = len(learner.list_adapted_layers()), learner.count_parameters()
        if isinstance(learner, WeightsLearner):
            measure = partial(measure_loss, learner, validation, collate, loss, job.train.batch_size)
            facts |= write_trained_weights(learner, job, measure if validation else None)
            return TrainResult(steps, layers, trainable, parameters, facts, artifact="weights")
        adapter_files.save_adapter(
            learner, job.adapter, job.out, base=job.base.id, modules_to_save=modules_to_save, task_type=task_type
        )
        if job.adapter.serve_precision == "bf16" and validation:
            served = WeightsLearner(PLAIN.load_decoder(job.base.folder, job.out).model, learner.tokenizer)
            both: tuple[trainer.Learner, ...] = (learner, served)
            losses = [measure_loss(each, validation, collate, loss, job.train.batch_size) for each in both]
            facts |= report_precisions(job, ("nf4", "bf16"), losses)
        return TrainResult(steps, layers, trainable, parameters, facts)

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


def choose_backend(
    choice: BackendChoice, folder: Path, *, causal: bool = False, labels: int = 0, adapter: Adapter | None = None
) -> Backend:
    """Return the backend of a spec's choice for a model; `auto` takes the packed kernels on a CPU if they know it and
    what is to be trained of it, or None to answer.

    Raises ValueError if the choice cannot run the model.
    """
    refusal = PACKED.explain_refusal(folder, causal=causal, labels=labels, adapter=adapter)
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
    # Weights that are shipped in fp32 answer in fp32: rounded, they would be another model.
    exact = exact or (artifact is not None and artifact.kind == "weights" and find_stored_dtype(model) == torch.float32)
    if read_base_precision(adapter):
        return PLAIN.load_decoder(model, adapter, exact=exact)
    return choose_backend(choice, model, causal=True).load_decoder(model, adapter, exact=exact)


@lru_cache(maxsize=2)
def _load_encoder_once(base: Base) -> TransformersEncoder:
    """Load the untuned base once per process: preflight, tokenisation, retrieval and `untuned` share it.

    Without a head, both backends run the same model.
    """
    return PLAIN.load_encoder(base.folder, 0)


@cache
def load_kit(choice: BackendChoice = "auto", words: tuple[str, ...] = ()) -> Kit:
    """Return the kit of a spec's choice of a backend, for a training that adds `words` to the tokenizer."""
    return cast(Kit, ModelKit(choice, words))
