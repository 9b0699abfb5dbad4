"""The backend of the public libraries: transformers' models, PEFT's adapters, padded batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from factory.api import FitJob
from factory.api.training_args import BackendName
from factory.ml.adapter_merge import merge_adapter
from factory.ml.chat_model import read_causal_config
from factory.ml.device import choose_device, choose_inference_dtype, choose_training_dtype
from factory.ml.encoder import TransformersEncoder, load_encoder
from factory.ml.hf import padded_batches
from factory.ml.hf.decoder import PlainDecoder
from factory.ml.hf.learner import PeftLearner, attach_peft_adapters
from factory.ml.text_batch import AnswerBatch, TextBatch


class TransformersBackend:
    """`factory.ml.backend.Backend` for every architecture that transformers knows."""

    name: BackendName = "hf"
    summary = "transformers and peft on padded batches"

    def explain_refusal(self, folder: Path, *, causal: bool, labels: int = 0) -> str:
        return ""

    def runs_model(self, model: Any) -> bool:
        return True

    def load_encoder(self, folder: Path, labels: int) -> TransformersEncoder:
        encoder = load_encoder(folder, labels=labels)
        encoder.model.to(choose_device())
        return encoder

    def load_decoder(self, folder: Path, adapter: Path | None, *, exact: bool = False) -> PlainDecoder:
        model: Any = _load_causal_model(folder, dtype=torch.float32 if exact else choose_inference_dtype())
        if adapter is not None:
            merge_adapter(model, adapter)
        # Only its end ids: a base's other settings, such as a repetition penalty, would change the answers.
        model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)
        return PlainDecoder(model.to(choose_device()), AutoTokenizer.from_pretrained(folder))

    def create_learner(
        self, job: FitJob, modules_to_save: tuple[str, ...], *, labels: int, causal: bool
    ) -> PeftLearner:
        folder, dtype = job.base.folder, choose_training_dtype(job.train.precision, job.work)
        settings = {"config": _read_config_without_dropout(folder), "dtype": dtype}
        if causal:
            model: Any = _load_causal_model(folder, **settings)
            head = next(name for name, module in model.named_modules() if module is model.get_output_embeddings())
            attach_peft_adapters(model, job.adapter, (), frozen_modules=(head,))
            return PeftLearner(model.train(), AutoTokenizer.from_pretrained(folder), ())
        loaded = load_encoder(folder, labels=labels, saved_modules=modules_to_save if labels else None, **settings)
        if not labels and hasattr(loaded.model, "pooler"):
            loaded.model.pooler = None  # token vectors bypass it: an adapter there would get no gradient
        attach_peft_adapters(loaded.model, job.adapter, modules_to_save)
        return PeftLearner(loaded.model.train(), loaded.tokenizer, modules_to_save)

    def compute_hidden_states(self, model: nn.Module, batch: TextBatch) -> list[Tensor]:
        return padded_batches.compute_padded_hidden(model, batch)

    def compute_head_logits(self, model: nn.Module, batch: TextBatch) -> Tensor:
        return padded_batches.compute_padded_logits(model, batch)

    def compute_completion_logits(self, model: nn.Module, batch: TextBatch) -> tuple[Tensor, Tensor]:
        return padded_batches.compute_padded_completion_logits(model, batch)

    def compute_sequence_logprobs(self, model: nn.Module, batch: AnswerBatch) -> Tensor:
        return padded_batches.compute_padded_sequence_logprobs(model, batch)


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
