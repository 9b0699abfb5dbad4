"""The implementation of `factory.api.Kit` that jobs give to plugins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoTokenizer

from factory.api import Artifact, Base, FitJob, Kit, Reporter, TrainResult
from factory.api.kit import TokenIds
from factory.ml import adapter_files, trainer
from factory.ml.adapter_merge import merge_adapter
from factory.ml.artifact_loading import locate_model_files
from factory.ml.cpu import decoder, encoder, packed_attention, packing
from factory.ml.device import choose_training_dtype, find_stored_dtype, reset_torch_state
from factory.ml.lora import attach_lora

EMBED_MAX_TOKENS = 128
"""Maximum tokens per text in `embed`; longer texts are truncated."""


class TransformersKit:
    """`factory.api.Kit` on transformers."""

    def embed(self, base: Base, texts: Sequence[str], report: Reporter | None = None) -> NDArray[np.float32]:
        untuned = self.load_encoder(base)
        vectors = untuned.compute_token_vectors(untuned.tokenize_texts(texts, EMBED_MAX_TOKENS), report)
        means = torch.stack([functional.normalize(text.mean(0), dim=0) for text in vectors])
        return cast("NDArray[np.float32]", means.numpy())

    def load_encoder(
        self, base: Base, artifact: Artifact | None = None, *, labels: int = 0
    ) -> encoder.TransformersEncoder:
        reset_torch_state(0)
        if artifact is None and not labels:
            return _load_encoder_once(base)
        model, adapter = locate_model_files(base, artifact)
        loaded = encoder.load_encoder(model, labels=labels)
        if adapter is not None:
            merge_adapter(loaded.model, adapter)
        return loaded

    def load_decoder(self, base: Base, artifact: Artifact | None = None) -> decoder.TransformersDecoder:
        reset_torch_state(0)
        return _load_decoder_once(base, artifact)

    def create_learner(
        self, job: FitJob, *, modules_to_save: tuple[str, ...] = (), labels: int = 0, causal: bool = False
    ) -> trainer.LoraLearner:
        reset_torch_state(job.train.seed)
        if causal:
            return _build_causal_learner(job)
        loaded = encoder.load_encoder(job.base.folder, labels=labels, training=True)
        model: Any = loaded.model
        if not labels and hasattr(model, "pooler"):
            model.pooler = None  # token vectors bypass it: an adapter there would get no gradient
        dtype = choose_training_dtype(job.train.precision, job.work)
        layers = attach_lora(loaded.model, job.adapter, dtype, modules_to_save)
        for module in loaded.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # the base's own dropout; adapters have theirs
        return trainer.LoraLearner(loaded.model.train(), layers, loaded.tokenizer)

    def fit(
        self, learner: trainer.LoraLearner, rows: Sequence[Any], collate: Callable[[list[Any]], Any],
        loss: Callable[[nn.Module, Any], Tensor], job: FitJob, *, modules_to_save: tuple[str, ...] = (),
        task_type: str = "",
    ) -> TrainResult:
        steps = trainer.train_learner(learner, rows, collate, loss, job.train, work=job.work, report=job.report)
        adapter_files.save_adapter(
            learner, job.adapter, job.out, base=job.base.id, modules_to_save=modules_to_save, task_type=task_type
        )
        trainable = sum(parameter.numel() for parameter in learner.collect_trainable_parameters().values())
        adapted = sum(layer.weight.numel() for layer in learner.lora_layers.values())  # weights that are buffers now
        total = adapted + sum(parameter.numel() for parameter in learner.model.parameters())
        return TrainResult(steps, len(learner.lora_layers), trainable, total, {"rows": len(rows)})

    load_adapter_tensors = staticmethod(adapter_files.load_adapter_tensors)
    save_adapter_tensors = staticmethod(adapter_files.save_adapter_tensors)

    def pack_batch(self, ids: TokenIds, segments: TokenIds | None = None) -> packing.PackedBatch:
        trainer.METER.count_tokens(ids)
        return packing.pack_texts(ids, segments)

    def build_completion_batch(self, ids: TokenIds, starts: Sequence[int]) -> packed_attention.CompletionBatch:
        trainer.METER.count_tokens(ids)
        return packed_attention.build_completion_batch(ids, starts)

    compute_hidden_states = staticmethod(packing.compute_packed_hidden)
    compute_head_logits = staticmethod(packing.compute_packed_logits)
    compute_completion_logits = staticmethod(packed_attention.compute_completion_logits)


def _build_causal_learner(job: FitJob) -> trainer.LoraLearner:
    """Create a causal base with adapters on all linear layers except its head, which stays frozen."""
    model = packed_attention.load_causal_model(job.base.folder, find_stored_dtype(job.base.folder))
    head = next(name for name, module in model.named_modules() if module is model.get_output_embeddings())
    dtype = choose_training_dtype(job.train.precision, job.work)
    layers = attach_lora(model, job.adapter, dtype, frozen_modules=(head,))
    return trainer.LoraLearner(model.train(), layers, AutoTokenizer.from_pretrained(job.base.folder))


@lru_cache(maxsize=2)
def _load_decoder_once(base: Base, artifact: Artifact | None) -> decoder.TransformersDecoder:
    """Load a causal base once per process: preflight and contenders share it."""
    return decoder.load_decoder(*locate_model_files(base, artifact))


@lru_cache(maxsize=2)
def _load_encoder_once(base: Base) -> encoder.TransformersEncoder:
    """Load the untuned base once per process: preflight, tokenisation, retrieval and `untuned` share it."""
    return encoder.load_encoder(base.folder)


TRANSFORMERS_KIT: Kit = cast(Kit, TransformersKit())
