"""QLoRA: the base has 4 bits a weight in training and where it is judged, as plain transformers and PEFT serve it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from test_full_training import CHATS, fit_job, train_decoder
from tiny_decoder import tiny_decoder
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from factory.api import Adapter, Artifact, Base, FitJob
from factory.api.artifact import read_base_precision
from factory.ml.kit import load_kit
from factory_targets.merged_model import MergedModelTarget
from factory_targets.vllm import VllmTarget

IDS = CHATS[2]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("decoder"), hidden=64)


def train(base: Base, folder: Path, rows: int = 3, **fields: Any) -> tuple[FitJob, Any]:
    job = fit_job(base, folder, Adapter(kind="qlora", rank=4, alpha=8, **fields), precision="fp32", learning_rate=0.02)
    return job, train_decoder("auto", job, rows=rows)


@torch.no_grad()
def answer_with_peft(job: FitJob, **settings: Any) -> torch.Tensor:
    base = AutoModelForCausalLM.from_pretrained(job.base.folder, **settings)
    plain: Any = PeftModel.from_pretrained(base, str(job.out))
    return plain(torch.tensor([IDS])).logits[0].float()  # type: ignore[no-any-return]


def test_the_judged_model_is_the_4_bit_base_that_was_trained_over(decoder: Base, tmp_path: Path) -> None:
    job, result = train(decoder, tmp_path / "nf4")
    assert (result.artifact, result.modules, result.facts["backend"]) == ("adapter", 14, "hf")
    # 14 layers of rank 4 with 64 inputs or outputs and more; the weights count whole, though two share a byte.
    plain = AutoModelForCausalLM.from_pretrained(decoder.folder)
    assert result.parameters == result.trainable + sum(value.numel() for value in plain.parameters())
    served = read_base_precision(job.out)
    assert served["precision"] == "nf4" and served["quantization_config"]["bnb_4bit_use_double_quant"]
    ours = load_kit("auto").load_decoder(decoder, Artifact("adapter", job.out, decoder)).compute_token_logits([IDS])[0]
    quantised = BitsAndBytesConfig(**served["quantization_config"])
    theirs = answer_with_peft(job, dtype=torch.float32, quantization_config=quantised)
    assert (ours - theirs).abs().max() < 1e-4
    assert (ours - answer_with_peft(job, dtype=torch.float32)).abs().max() > 0.01, "another base, another answer"


def test_a_base_served_in_16_bits_is_judged_so_and_both_losses_are_shown(decoder: Base, tmp_path: Path) -> None:
    job, result = train(decoder, tmp_path / "bf16", serve_precision="bf16")
    ours = load_kit("auto").load_decoder(decoder, Artifact("adapter", job.out, decoder)).compute_token_logits([IDS])[0]
    assert (ours - answer_with_peft(job, dtype=torch.bfloat16)).abs().max() < 1e-4
    losses = result.facts["validation_loss"]
    assert {*losses} == {"nf4", "bf16"} and losses["nf4"] != losses["bf16"]
    assert "as judged and served" in job.report.notes[-1]  # type: ignore[attr-defined]
    _, silent = train(decoder, tmp_path / "no-rows", rows=0, serve_precision="bf16")
    assert "validation_loss" not in silent.facts


def test_an_interrupted_training_ends_in_the_same_bytes(decoder: Base, tmp_path: Path) -> None:
    whole, _ = train(decoder, tmp_path / "whole")
    broken = fit_job(decoder, tmp_path / "broken", whole.adapter, precision="fp32", learning_rate=0.02,
                     checkpoint_every=2)
    with pytest.raises(KeyError):
        train_decoder("auto", broken, stop=KeyError)
    train_decoder("auto", broken)
    for name in ("adapter_model.safetensors", "adapter_config.json", "base_precision.json"):
        assert (broken.out / name).read_bytes() == (whole.out / name).read_bytes()


def test_merging_and_serving_in_another_precision_are_refused() -> None:
    served = {"artifact": "adapter", "rank": 8, "serve_precision": "nf4"}
    assert "the update would be rounded to 4 bits too" in MergedModelTarget().explain_refusal(served)
    assert "another precision than was judged" in VllmTarget().explain_refusal(served)
    for target in (MergedModelTarget(), VllmTarget()):
        assert target.explain_refusal({**served, "serve_precision": "bf16"}) == ""


def test_without_the_package_one_line_says_what_to_install(
    decoder: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    with pytest.raises(ImportError, match=r"need bitsandbytes: pip install 'specialist-factory\[qlora\]'"):
        train(decoder, tmp_path / "none")
