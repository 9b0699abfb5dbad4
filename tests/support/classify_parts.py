"""A small world for the classifier: three labels whose texts share words, and a random BERT that knows the words."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from rerank_parts import BASE, HashKit
from tiny_parts import Voice

from factory.api import Answer, AnswerJob, Provenance, Row, ScoreJob
from factory_classify.classification_objective import ClassificationObjective
from factory_classify.task import Classifier

HERE = Provenance("parts")
WORDS = {
    "طقس": ["مطر", "شمس", "ريح", "غيم", "برد"],
    "card": ["card", "pin", "chip", "lost", "stolen"],
    "money_transfer": ["send", "transfer", "account", "abroad", "fee"],
}
NOISE = ["please", "my", "now", "the", "is", "today"]
SPEC = """\
apiVersion: factory/v1
name: tiny-classifier
task: classifier
models:
  student: ./base
data:
  sources:
    - {kind: jsonl, file: rows.jsonl, columns: [text, label], licence: CC0-1.0}
  split: {test: 30, validation: 30}
objective: {kind: classification, max_length: 16}
adapter: {rank: 4}
train: {epochs: 3, batch_size: 8, learning_rate: 5e-3, precision: fp32}
targets: [peft, merged]
gate: {resamples: 500}
budget: {threads: 1}
"""


def rows(count: int = 60, seed: int = 1) -> list[Row]:
    draw, labels = random.Random(seed), sorted(WORDS)
    made = []
    for number in range(count):
        label = labels[number % len(labels)]
        words = [*draw.sample(WORDS[label], 2), *draw.sample(NOISE, 3)]
        draw.shuffle(words)
        made.append(Row(f"r{number}", {"text": " ".join(words), "label": label}, HERE))
    return made


def ask(kit: Any = HashKit) -> AnswerJob:
    """Thirty test rows, ninety to learn from, thirty to choose on."""
    every = rows(150)
    return AnswerJob(
        7, Voice(), Path(), kit_loader=kit, rows=every[:30], validation=every[30:60], train=every[60:], base=BASE,
        task=Classifier(), objective=ClassificationObjective(), artifact=None,
    )


def scored(outputs: list[dict[str, float]], labels: list[str]) -> ScoreJob:
    asked = [Row(f"r{number}", {"text": "", "label": label}, HERE) for number, label in enumerate(labels)]
    answers = {row.id: Answer(row.id, output) for row, output in zip(asked, outputs, strict=True)}
    return ScoreJob(7, Voice(), Path(), rows=asked, answers=answers, train=asked)


def base(folder: Path) -> Path:
    """A random BERT of 32 dimensions with a pooler, whose vocabulary is the words above."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = [*NOISE, *(word for mine in WORDS.values() for word in mine)]
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    BertModel(BertConfig(
        vocab_size=5 + len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=32,
    )).save_pretrained(folder)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]) + "\n", encoding="utf-8")
    BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder)
    vocabulary.unlink()
    return folder


def project(folder: Path) -> Path:
    """A spec with its rows and its base; returns the spec."""
    base(folder / "base")
    lines = (json.dumps(dict(row.columns), ensure_ascii=False) + "\n" for row in rows(220))
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "tiny.yaml").write_text(SPEC)
    return folder / "tiny.yaml"
