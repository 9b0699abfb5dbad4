"""The backend of the public libraries: transformers' models, PEFT's adapters, padded batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from factory.api import Adapter, FitJob
from factory.api.artifact import NF4, build_load_settings, read_base_precision, write_base_precision
from factory.api.training_args import BackendName
from factory.ml.adapter_merge import attach_saved_adapter, merge_adapter
from factory.ml.chat_model import read_causal_config
from factory.ml.device import choose_device, choose_inference_dtype, choose_training_dtype
from factory.ml.encoder import TransformersEncoder, load_encoder
from factory.ml.hf import padded_batches
from factory.ml.hf.decoder import PlainDecoder
from factory.ml.hf.learner import PeftLearner, attach_peft_adapters
from factory.ml.linear_layers import find_output_head
from factory.ml.new_words import find_word_ids, load_tokenizer, make_room_for_words, start_words_from_parts
from factory.ml.text_batch import AnswerBatch, TextBatch
from factory.ml.weights_training import WeightsLearner, train_own_weights


class TransformersBackend:
    """`factory.ml.backend.Backend` for every architecture that transformers knows."""

    name: BackendName = "hf"
    summary = "transformers and peft on padded batches"

    def explain_refusal(
        self, folder: Path, *, causal: bool, labels: int = 0, adapter: Adapter | None = None
    ) -> str:
        return ""

    def runs_model(self, model: Any) -> bool:
        return True

    def load_encoder(self, folder: Path, labels: int) -> TransformersEncoder:
        encoder = load_encoder(folder, labels=labels)
        encoder.model.to(choose_device())
        return encoder

    def load_decoder(self, folder: Path, adapter: Path | None, *, exact: bool = False) -> PlainDecoder:
        served = read_base_precision(adapter)
        dtype = torch.float32 if exact else choose_inference_dtype()
        model: Any = _load_causal_model(folder, **(build_load_settings(served) if served else {"dtype": dtype}))
        tokenizer = load_tokenizer(folder, adapter)
        if adapter is not None:
            make_room_for_words(model, tokenizer)
            (attach_saved_adapter if served else merge_adapter)(model, adapter)
        # Only its end ids: a base's other settings, such as a repetition penalty, would change the answers.
        model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)
        return PlainDecoder(model.to(choose_device()), tokenizer)

    def create_learner(
        self, job: FitJob, modules_to_save: tuple[str, ...], *, labels: int, causal: bool
    ) -> PeftLearner | WeightsLearner:
        folder, adapter = job.base.folder, job.adapter
        has_update = adapter.has_low_rank_update
        dtype = choose_training_dtype(job.train.precision, job.work) if has_update else torch.float32
        settings = {"config": _read_config_without_dropout(folder), "dtype": dtype}
        if adapter.kind == "qlora":
            compute = str(dtype).removeprefix("torch.")
            write_base_precision(job.out, NF4, compute)
            settings |= build_load_settings(read_base_precision(job.out))
            write_base_precision(job.out, adapter.serve_precision, compute)
        if causal:
            model, tokenizer = _load_causal_model(folder, **settings), AutoTokenizer.from_pretrained(folder)
        else:
            saved = modules_to_save if labels else None
            loaded = load_encoder(folder, labels=labels, saved_modules=saved, **settings)
            model, tokenizer = loaded.model, loaded.tokenizer
        if job.train.gradient_checkpointing:
            enable_checkpointing(model)
        if not has_update:
            train_own_weights(model, adapter, modules_to_save, labels=labels)
            return WeightsLearner(model.train(), tokenizer, modules_to_save)
        if not labels and hasattr(model, "pooler"):
            model.pooler = None  # token vectors bypass it: an adapter there would get no gradient
        word_ids: tuple[int, ...] = ()
        if words := adapter.trainable_tokens:
            tokenizer = load_tokenizer(folder, words=words)
            word_ids = find_word_ids(tokenizer, words)
            make_room_for_words(model, tokenizer)
            start_words_from_parts(model, folder, words, tokenizer)
        frozen = (find_output_head(model),) if causal else ()
        attach_peft_adapters(model, adapter, modules_to_save, frozen_modules=frozen, word_ids=word_ids)
        if adapter.kind == "qlora":
            model._hf_peft_config_loaded = True  # Trainer asks whether a 4-bit model has adapters to train
        return PeftLearner(model.train(), tokenizer, modules_to_save, word_ids)

    def compute_hidden_states(self, model: nn.Module, batch: TextBatch) -> list[Tensor]:
        return padded_batches.compute_padded_hidden(model, batch)

    def compute_head_logits(self, model: nn.Module, batch: TextBatch) -> Tensor:
        return padded_batches.compute_padded_logits(model, batch)

    def compute_completion_logits(self, model: nn.Module, batch: TextBatch) -> tuple[Tensor, Tensor]:
        return padded_batches.compute_padded_completion_logits(model, batch)

    def compute_sequence_logprobs(self, model: nn.Module, batch: AnswerBatch) -> Tensor:
        return padded_batches.compute_padded_sequence_logprobs(model, batch)


def enable_checkpointing(model: Any) -> None:
    """Let a model in training keep the inputs of its blocks alone, and compute the rest again (arXiv:1604.06174)."""
    # Without reentrance, gradients reach the adapters of the first block although its input needs none.
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


def _load_causal_model(folder: Path, **settings: Any) -> Any:
    read_causal_config(folder)
    return AutoModelForCausalLM.from_pretrained(folder, **settings).eval()


def _read_config_without_dropout(folder: Path) -> Any:
    """Return the base's config with every dropout at 0: adapters have their own."""
    config = AutoConfig.from_pretrained(folder)
    for name, value in config.to_dict().items():
        if isinstance(value, float) and "drop" in name:
            setattr(config, name, 0.0)
    return config
