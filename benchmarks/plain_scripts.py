"""Plain scripts: rerankers trained as sentence-transformers 6.2 documents, with its trainers, losses and defaults."""

from __future__ import annotations

from pathlib import Path

from datasets import Dataset
from peft import LoraConfig
from sentence_transformers import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments, MultiVectorEncoder
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.cross_encoder.losses import ListNetLoss
from sentence_transformers.multi_vector_encoder import MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

LINEAR = ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"]
RANK = 32


def train_plain_cross_encoder(
    base: Path, queries: list[str], right: list[str], wrong: list[list[str]], rate: float, batch: int, out: Path
) -> Path:
    """Train a listwise cross-encoder with LoRA and a new head; returns the folder of the adapter."""
    model = CrossEncoder(str(base), num_labels=1, max_length=128, device="cpu")
    model.add_adapter(LoraConfig(
        task_type="SEQ_CLS", r=RANK, lora_alpha=RANK, target_modules=LINEAR, modules_to_save=["classifier"]
    ))
    rows = Dataset.from_dict({
        "query": queries, "docs": [[positive, *others] for positive, others in zip(right, wrong, strict=True)],
        "labels": [[1.0] + [0.0] * len(others) for others in wrong],
    })
    arguments = CrossEncoderTrainingArguments(
        str(out / "run"), num_train_epochs=1, per_device_train_batch_size=batch, learning_rate=rate,
        save_strategy="no", report_to=[], disable_tqdm=True,
    )
    CrossEncoderTrainer(model=model, args=arguments, train_dataset=rows, loss=ListNetLoss(model)).train()
    model.save_pretrained(str(out / "model"))
    return out / "model"


def train_plain_late_interaction(
    base: Path, queries: list[str], right: list[str], wrong: list[list[str]], rate: float, batch: int, out: Path
) -> Path:
    """Train a late-interaction encoder with LoRA on the base's token vectors; returns the folder of the adapter."""
    modules = [Transformer(str(base), max_seq_length=64), MultiVectorMask(), Normalize("token_embeddings")]
    model = MultiVectorEncoder(modules=modules, device="cpu")
    model.add_adapter(LoraConfig(task_type="FEATURE_EXTRACTION", r=RANK, lora_alpha=RANK, target_modules=LINEAR))
    negatives = {f"negative_{index}": list(texts) for index, texts in enumerate(zip(*wrong, strict=True))}
    rows = Dataset.from_dict({"query": queries, "positive": right, **negatives})
    arguments = MultiVectorEncoderTrainingArguments(
        str(out / "run"), num_train_epochs=1, per_device_train_batch_size=batch, learning_rate=rate,
        save_strategy="no", report_to=[], disable_tqdm=True,
    )
    loss = MultiVectorMultipleNegativesRankingLoss(model, scale=8.0)
    MultiVectorEncoderTrainer(model=model, args=arguments, train_dataset=rows, loss=loss).train()
    model.save_pretrained(str(out / "model"))
    return out / "model"
