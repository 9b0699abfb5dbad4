"""The backend of the packed kernels: rows without padding, shared prefixes, adapters merged once a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoTokenizer

from factory.api import Adapter, FitJob
from factory.api.training_args import BackendName
from factory.ml.adapter_merge import merge_adapter
from factory.ml.cpu import packed_answers, packed_attention, packing
from factory.ml.cpu.decoder import PackedDecoder
from factory.ml.cpu.lora import LoraLearner, attach_lora
from factory.ml.cpu.rms_norm import replace_norms
from factory.ml.device import choose_device, choose_inference_dtype, choose_training_dtype, find_stored_dtype
from factory.ml.encoder import TransformersEncoder, has_causal_head, load_encoder
from factory.ml.linear_layers import find_output_head
from factory.ml.new_words import load_tokenizer, make_room_for_words
from factory.ml.text_batch import AnswerBatch, TextBatch
from factory.ml.weights_training import WeightsLearner, train_own_weights

PACKED_ENCODERS = ("bert",)
REFUSALS = {
    "qlora": "the packed kernels do not compute with 4-bit weights",
    "dora": "the packed kernels do not train the lengths of DoRA",
    "trainable_tokens": "the packed kernels do not train the embeddings of words",
}
"""Why they cannot train what only transformers and peft can."""


class PackedBackend:
    """`factory.ml.backend.Backend` for BERT encoders and decoders with plain attention."""

    name: BackendName = "cpu"
    summary = "packed rows without padding"

    def explain_refusal(
        self, folder: Path, *, causal: bool, labels: int = 0, adapter: Adapter | None = None
    ) -> str:
        config = AutoConfig.from_pretrained(folder)
        known = not causal and config.model_type in PACKED_ENCODERS
        if not (known or ((causal or labels > 0) and packed_attention.has_plain_attention(config))):
            return f"the packed kernels do not know the architecture {config.model_type!r}"
        return "" if adapter is None else REFUSALS.get(adapter.find_hf_feature(), "")

    def runs_model(self, model: Any) -> bool:
        return model.config._attn_implementation in (packing.PACKED_ATTENTION, packed_attention.CAUSAL_ATTENTION)

    def load_encoder(self, folder: Path, labels: int) -> TransformersEncoder:
        encoder = load_encoder(folder, labels=labels)  # without gradients, padded chunks of like length are faster
        if labels and not has_causal_head(encoder.model):
            packing.keep_first_tokens_only(encoder.model)
        encoder.model.to(choose_device())
        return encoder

    def load_decoder(self, folder: Path, adapter: Path | None, *, exact: bool = False) -> PackedDecoder:
        model = packed_attention.load_causal_model(folder, torch.float32 if exact else choose_inference_dtype())
        tokenizer = load_tokenizer(folder, adapter)
        if adapter is not None:
            make_room_for_words(model, tokenizer)
            merge_adapter(model, adapter)
        return PackedDecoder(model.to(choose_device()), tokenizer)

    def create_learner(
        self, job: FitJob, modules_to_save: tuple[str, ...], *, labels: int, causal: bool
    ) -> LoraLearner | WeightsLearner:
        if causal:
            return self._create_causal_learner(job, modules_to_save)
        is_encoder = AutoConfig.from_pretrained(job.base.folder).model_type in PACKED_ENCODERS
        loaded = load_encoder(
            job.base.folder, labels=labels, saved_modules=modules_to_save if labels else None,
            attention=packing.PACKED_ATTENTION if is_encoder else packed_attention.CAUSAL_ATTENTION,
        )
        if not is_encoder:
            replace_norms(loaded.model)
        elif labels:
            packing.keep_first_tokens_only(loaded.model)
        if not job.adapter.has_low_rank_update:
            train_own_weights(loaded.model, job.adapter, modules_to_save, labels=labels)
            return WeightsLearner(loaded.model.train(), loaded.tokenizer, modules_to_save)
        if not labels and hasattr(loaded.model, "pooler"):
            loaded.model.pooler = None  # token vectors bypass it: an adapter there would get no gradient
        dtype = choose_training_dtype(job.train.precision, job.work)
        layers = attach_lora(loaded.model, job.adapter, dtype, modules_to_save)
        for module in loaded.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # the base's own dropout; adapters have theirs
        return LoraLearner(loaded.model.train(), layers, loaded.tokenizer, modules_to_save)

    def _create_causal_learner(self, job: FitJob, modules_to_save: tuple[str, ...]) -> LoraLearner | WeightsLearner:
        """Create a causal base with adapters on linear layers except its head, which stays frozen; or all of it."""
        if not job.adapter.has_low_rank_update:
            whole = packed_attention.load_causal_model(job.base.folder, torch.float32)
            train_own_weights(whole, job.adapter, modules_to_save, labels=0)
            return WeightsLearner(whole.train(), AutoTokenizer.from_pretrained(job.base.folder), modules_to_save)
        model = packed_attention.load_causal_model(job.base.folder, find_stored_dtype(job.base.folder))
        head = find_output_head(model)
        dtype = choose_training_dtype(job.train.precision, job.work)
        layers = attach_lora(model, job.adapter, dtype, frozen_modules=(head,))
        return LoraLearner(model.train(), layers, AutoTokenizer.from_pretrained(job.base.folder), modules_to_save)

    def compute_hidden_states(self, model: nn.Module, batch: TextBatch) -> list[Tensor]:
        return packing.compute_packed_hidden(model, packing.pack_texts(batch.ids, batch.segments))

    def compute_head_logits(self, model: nn.Module, batch: TextBatch) -> Tensor:
        if has_causal_head(model):
            return packed_attention.compute_last_token_logits(model, batch.ids)
        return packing.compute_packed_logits(model, packing.pack_texts(batch.ids, batch.segments))

    def compute_completion_logits(self, model: nn.Module, batch: TextBatch) -> tuple[Tensor, Tensor]:
        completions = packed_attention.build_completion_batch(batch.ids, batch.starts)
        return packed_attention.compute_completion_logits(model, completions)

    def compute_sequence_logprobs(self, model: nn.Module, batch: AnswerBatch) -> Tensor:
        return packed_answers.compute_packed_sequence_logprobs(model, batch)
