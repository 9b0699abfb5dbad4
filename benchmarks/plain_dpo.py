"""Plain script: preferences trained as TRL 1.16 documents it, with DPOTrainer at its defaults or tuned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from trl import DPOConfig, DPOTrainer

TUNED: dict[str, Any] = {"gradient_checkpointing": False, "precompute_ref_log_probs": True}
"""Settings that an experienced user would choose on a machine with enough memory."""


def train(
    base: Path, pairs: list[dict[str, Any]], rate: float, batch: int, rank: int, out: Path, *, tuned: bool
) -> Path:
    """Train with LoRA on all linear layers for one epoch; returns the folder of the adapter."""
    arguments = DPOConfig(
        str(out / "run"), num_train_epochs=1, per_device_train_batch_size=batch, learning_rate=rate, max_length=1024,
        save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=not torch.cuda.is_available(),
        **(TUNED if tuned else {}),
    )
    trainer = DPOTrainer(
        str(base), args=arguments, train_dataset=Dataset.from_list(pairs),
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=rank, target_modules="all-linear"),
    )
    trainer.train()
    trainer.save_model(str(out / "model"))
    return out / "model"
