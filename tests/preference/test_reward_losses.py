"""The loss of reward models is TRL's: loss and gradients on the same batch, in fp32, with either backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from reward_parts import REWARDED, fit_rewards
from tiny_decoder import tiny_decoder

from factory_preference.reward import build_reward_collator
from factory_preference.reward_architectures import DecoderReward

pytestmark = pytest.mark.slow  # importing TRL alone takes longer than a test may


def shorten(name: str) -> str:
    return name.removeprefix("base_model.model.").replace(".default", "").replace(".modules_to_save", "")


@pytest.mark.parametrize("center", [0.0, 0.2])
def test_the_loss_and_its_gradients_are_trls(center: float, tmp_path: Path) -> None:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    base, objective = tiny_decoder(tmp_path / "base"), DecoderReward(center=center)
    jobs = {name: fit_rewards(base, tmp_path / name, name) for name in ("cpu", "hf")}  # type: ignore[arg-type]
    tokenizer = jobs["cpu"].kit.load_decoder(base).tokenizer
    tokenizer.pad_token = "<|im_start|>"
    turns = {
        name: [[{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row[name]}]
               for row in REWARDED]
        for name in ("chosen", "rejected")
    }
    trainer = RewardTrainer(
        model=AutoModelForSequenceClassification.from_pretrained(base.folder, num_labels=1, dtype=torch.float32),
        args=RewardConfig(
            str(tmp_path / "trl"), center_rewards_coefficient=center or None, report_to=[], use_cpu=True, bf16=False,
            gradient_checkpointing=False, max_length=None, per_device_train_batch_size=4, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict(turns), processing_class=tokenizer,
        peft_config=LoraConfig(
            r=4, lora_alpha=8, target_modules="all-linear", task_type="SEQ_CLS", modules_to_save=["score"],
        ),
    )
    model = trainer.model.float().train()
    torch.manual_seed(3)
    trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
    updates = {shorten(name): 0.1 * torch.randn(each.shape) for name, each in trained.items()}
    for name, each in trained.items():
        each.data.copy_(updates[shorten(name)])
    examples = objective._build_examples(jobs["cpu"], REWARDED)[:4]
    batch = [{"chosen_ids": chosen[0], "rejected_ids": rejected[0]} for chosen, rejected in examples]
    theirs = trainer.compute_loss(model, trainer.data_collator(batch))
    theirs.backward()
    for job in jobs.values():
        learner: Any = job.kit.create_learner(job, modules_to_save=("score",), labels=1)
        ours = dict(learner.collect_adapter_tensors())
        assert ours.keys() == updates.keys() and len(ours) == 29
        for name, tensor in ours.items():
            tensor.copy_(updates[name])
        learner.begin_step()
        logits = job.kit.compute_head_logits(learner.model, build_reward_collator(job)(examples).texts)
        loss = objective.compute_reward_loss(logits.view(-1, 2))
        loss.backward()
        assert loss.item() == pytest.approx(theirs.item(), abs=1e-5)
        own = {shorten(name): each.grad for name, each in learner.model.named_parameters() if each.requires_grad}
        for name, each in trained.items():
            short = shorten(name) if shorten(name) in own else shorten(name).removesuffix(".weight")
            assert each.grad.norm() > 0 and torch.allclose(own[short], each.grad, atol=1e-5, rtol=1e-4), name
