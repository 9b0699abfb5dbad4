"""The losses of DPO and KTO are TRL's: losses and gradients on the same batch, in fp32, with either backend."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from preference_parts import PAIR_TASK, PAIRS, RANK, THUMB_TASK, THUMBS, fitting
from tiny_decoder import tiny_decoder
from torch import Tensor, nn

from factory.api import Base, FitJob
from factory.api.training_args import BackendChoice
from factory.ml.kit import load_kit
from factory_preference.dpo import DPO
from factory_preference.kto import KTO
from factory_preference.preference_objective import JudgedPrompt, PreferenceObjective, build_preference_batch

pytestmark = pytest.mark.slow  # importing TRL alone takes longer than a test may
TOLERANCE = 1e-4
PEFT_SETTINGS = {"r": RANK.rank, "lora_alpha": RANK.alpha, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
COMMON = {
    "report_to": [], "use_cpu": True, "bf16": False, "gradient_checkpointing": False, "max_length": None,
    "per_device_train_batch_size": 4, "save_strategy": "no", "disable_tqdm": True,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("decoder"))


def compute_ours(
    objective: PreferenceObjective, examples: list[JudgedPrompt], job: FitJob, updates: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of the first four examples and the gradients, with `updates` as what training made of B."""
    learner: Any = job.kit.create_learner(job, causal=True)
    referenced = objective._add_reference(examples, learner, job)[:4]
    for name, tensor in learner.collect_adapter_tensors().items():
        tensor.copy_(updates[name])
    learner.begin_step()
    batch = build_preference_batch(referenced, job)
    logprobs = job.kit.compute_sequence_logprobs(learner.model, batch.texts)
    reference = logprobs.new_tensor([example.reference for example in referenced])
    loss = objective.compute_preference_loss(logprobs, reference, referenced)
    loss.backward()
    gradients = {
        shorten(name): value.grad for name, value in learner.model.named_parameters() if value.requires_grad
    }
    return loss.detach(), gradients


def shorten(name: str) -> str:
    return name.removeprefix("base_model.model.").replace(".default", "").removesuffix(".weight")


def compute_theirs(trainer: Any, batch: list[dict[str, Any]], updates: dict[str, Tensor]) -> Any:
    """TRL's loss of the same batch and its gradients, with the same adapter."""
    model: nn.Module = trainer.model.float().train()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.data.copy_(updates[f"{shorten(name)}.weight"])
    loss = trainer.compute_loss(model, trainer.data_collator(batch))
    loss.backward()
    return loss.detach(), {shorten(name): each.grad for name, each in model.named_parameters() if each.requires_grad}


def draw_updates(job: FitJob) -> dict[str, Tensor]:
    learner: Any = job.kit.create_learner(job, causal=True)
    torch.manual_seed(3)
    return {name: 0.1 * torch.randn(tensor.shape) for name, tensor in sorted(learner.collect_adapter_tensors().items())}


def assert_equal(ours: Any, theirs: Any) -> None:
    assert float(ours[0]) == pytest.approx(float(theirs[0]), abs=TOLERANCE)
    assert ours[1].keys() == theirs[1].keys() and len(ours[1]) == 28
    for name, gradient in theirs[1].items():
        assert gradient.norm() > 0
        assert (ours[1][name] - gradient).norm() <= TOLERANCE * max(float(gradient.norm()), 1.0), name


def build_job(base: Base, rows: Any, folder: Path, backend: BackendChoice) -> FitJob:
    return replace(fitting(base, rows, folder), kit_loader=partial(load_kit, backend))


@pytest.mark.parametrize(("fields", "settings"), [
    ({}, {"loss_type": "sigmoid"}),
    ({"beta": 0.5, "loss": "ipo"}, {"loss_type": "ipo", "beta": 0.5}),
    ({"loss": "robust", "label_smoothing": 0.2}, {"loss_type": "robust", "label_smoothing": 0.2}),
    ({"sft_weight": 0.3}, {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.3]}),
], ids=["sigmoid", "ipo", "robust", "with-sft"])
def test_dpo_is_trls(fields: dict[str, Any], settings: dict[str, Any], base: Base, tmp_path: Path) -> None:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import DPOConfig, DPOTrainer

    jobs = {name: build_job(base, PAIRS, tmp_path / name, name) for name in ("cpu", "hf")}
    decoder, objective = load_kit().load_decoder(base), DPO(**fields)
    examples, updates = objective.build_examples(PAIRS, PAIR_TASK, decoder), draw_updates(jobs["cpu"])
    turns = {role: [[{"role": who, "content": str(row[role])}] for row in PAIRS] for role, who in (
        ("prompt", "user"), ("chosen", "assistant"), ("rejected", "assistant"),
    )}
    trainer = DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32),
        args=DPOConfig(str(tmp_path / "trl"), **COMMON, **settings), train_dataset=Dataset.from_dict(turns),
        processing_class=decoder.tokenizer, peft_config=LoraConfig(**PEFT_SETTINGS),
    )
    batch = [
        {"prompt_ids": each.prompt, "chosen_ids": each.answers[0], "rejected_ids": each.answers[1]}
        for each in examples[:4]
    ]
    theirs = compute_theirs(trainer, batch, updates)
    for job in jobs.values():
        assert_equal(compute_ours(objective, examples, job, updates), theirs)


def test_kto_is_trls(base: Base, tmp_path: Path) -> None:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import KTOConfig, KTOTrainer

    jobs = {name: build_job(base, THUMBS, tmp_path / name, name) for name in ("cpu", "hf")}
    decoder, objective = load_kit().load_decoder(base), KTO(desirable_weight=1.5)
    examples, updates = objective.build_examples(THUMBS, THUMB_TASK, decoder), draw_updates(jobs["cpu"])
    turns: dict[str, list[Any]] = {
        "prompt": [[{"role": "user", "content": row["prompt"]}] for row in THUMBS],
        "completion": [[{"role": "assistant", "content": row["answer"]}] for row in THUMBS],
    }
    trainer = KTOTrainer(
        model=AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32),
        args=KTOConfig(str(tmp_path / "trl"), **COMMON, desirable_weight=1.5),
        train_dataset=Dataset.from_dict({**turns, "label": [row["good"] for row in THUMBS]}),
        processing_class=decoder.tokenizer, peft_config=LoraConfig(**PEFT_SETTINGS),
    )
    batch = [
        {
            "prompt_ids": each.prompt, "completion_ids": each.answers[0], "KL_completion_ids": each.answers[1],
            "label": each.good,
        }
        for each in examples[:4]
    ]
    theirs = compute_theirs(trainer, batch, updates)
    for job in jobs.values():
        assert_equal(compute_ours(objective, examples, job, updates), theirs)
