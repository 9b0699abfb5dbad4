"""Models answer on the device that there is, and a second GPU changes no training run."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from places import SUPPORT
from tiny_decoder import tiny_decoder
from tiny_parts import Voice, base
from torch import Tensor, nn
from transformers import TrainingArguments

from factory.api import Adapter, Base, FitJob, TrainingArgs
from factory.ml import device, trainer
from factory.ml.backend import Backend
from factory.ml.cpu import backend as cpu
from factory.ml.cpu.lora import LoraLearner, attach_lora
from factory.ml.hf import backend as hf


def test_the_first_gpu_is_chosen_and_else_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, chosen in ((True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda answer=cuda: answer)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda answer=mps: answer)
        assert device.choose_device() == torch.device(chosen)


def test_a_gpu_that_only_emulates_bf16_works_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for native, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        def supports(including_emulation: bool = True, native: bool = native) -> bool:
            return native or including_emulation

        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supports)
        device._is_bf16_faster.cache_clear()
        try:
            assert device.choose_inference_dtype() == dtype
        finally:
            device._is_bf16_faster.cache_clear()


@pytest.mark.parametrize(("module", "choose"), [(cpu, cpu.PackedBackend), (hf, hf.TransformersBackend)])
def test_models_are_loaded_to_answer_on_the_chosen_device_and_to_train_on_the_cpu(
    module: ModuleType, choose: Callable[[], Backend], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base(tmp_path)
    there, folder = tmp_path / "model", tiny_decoder(tmp_path / "decoder").folder
    monkeypatch.setattr(module, "choose_device", lambda: torch.device("meta"))  # a device without values
    backend = choose()
    assert backend.load_encoder(there, 0).model.device.type == "meta"
    assert backend.load_encoder(there, 2).model.device.type == "meta"
    assert backend.load_decoder(folder, None).model.device.type == "meta"
    learning = create_learner(backend, Base(folder, "tiny", "0", "d", "MIT"), tmp_path)
    assert learning.model.device.type == "cpu"


def test_an_encoder_takes_texts_to_its_device_and_brings_answers_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, str(Path(__file__).with_name("pretended_gpu.py")), str(tmp_path)]
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    answers = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert answers == {"vectors": [[[4, 32], "cpu"], [[3, 32], "cpu"]], "logits": [[[2, 2], "cpu"]]}


def test_a_machine_of_two_gpus_trains_as_one_of_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two GPUs double Trainer's batch and wrap the model, unless it is told to use one."""
    alone = fit(tmp_path / "alone")

    once: Any = TrainingArguments._setup_devices  # a property that is computed once

    def find_two(settings: Any) -> torch.device:
        chosen: torch.device = once.func(settings)
        settings._n_gpu = 2
        return chosen

    twice = cached_property(find_two)
    twice.__set_name__(TrainingArguments, "_setup_devices")
    monkeypatch.setattr(TrainingArguments, "_setup_devices", twice)
    assert torch.equal(fit(tmp_path / "two"), alone)


def build_job(base: Any, work: Path, **train: Any) -> FitJob:
    return FitJob(
        seed=7, report=Voice(), root=work, rows=[], validation=[], base=base, task=None, adapter=Adapter(rank=2),  # type: ignore[arg-type]
        train=TrainingArgs(precision="fp32", **train), out=work, work=work,
    )


def create_learner(backend: Backend, base: Base, work: Path) -> trainer.Learner:
    return backend.create_learner(build_job(base, work), (), labels=0, causal=True)


def fit(work: Path) -> Tensor:
    """B of a small layer after six steps of two rows."""
    work.mkdir()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3))
    layers = attach_lora(model, Adapter(rank=2, alpha=4), torch.float32)
    steps, _ = trainer.train_learner(
        LoraLearner(model, layers, None), [[float(n)] * 4 for n in range(12)], torch.tensor,
        lambda taught, rows: taught(rows).square().mean(), build_job(None, work, epochs=1, batch_size=2),
    )
    assert steps == 6
    return layers["0"].lora_B.detach()
