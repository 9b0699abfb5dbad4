"""A reranker's project that builds in seconds: a random BERT of 32 dimensions and a corpus of made-up words."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

SPEC = """\
apiVersion: factory/v1
name: tiny-ranker
task: {kind: reranker, top_k: 5}
models:
  student: ./base
data:
  sources:
    - {kind: retrieval, corpus: corpus.jsonl, queries: queries.jsonl, qrels: qrels.jsonl, licence: CC0-1.0}
  split: {test: 30, validation: 10}
objective: {kind: late-interaction, max_length: 16, scale: 6}
adapter: {rank: 4}
train: {epochs: 3, batch_size: 8, precision: fp32, checkpoint_every: 5}
gate: {resamples: 500}
budget: {threads: 1}
"""
WORDS = ["".join(parts) for parts in product(
    ("ka", "mo", "ri", "tu", "ze"), ("lan", "pir", "dos", "gem"), ("a", "is", "um", "or", "et", "yn")
)]


def write(file: Path, values: Iterable[Mapping[str, Any]]) -> None:
    file.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


def collection(documents: int = 40, queries: int = 120, seed: int = 5) -> dict[str, list[dict[str, Any]]]:
    """A corpus, queries that share two words of four with their document, and who belongs to whom."""
    draw = random.Random(seed)
    corpus = [{"id": f"d{n}", "text": " ".join(draw.sample(WORDS, 5))} for n in range(documents)]
    asked, judged = [], []
    for number in range(queries):
        right = draw.choice(corpus)
        words = [*draw.sample(right["text"].split(), 2), *draw.sample(WORDS, 2)]
        asked.append({"id": f"q{number}", "text": " ".join(words)})
        judged.append({"query_id": f"q{number}", "doc_id": right["id"], "relevance": 1})
    return {"corpus": corpus, "queries": asked, "qrels": judged}


def project(folder: Path) -> Path:
    """Write the project; returns its spec."""
    base(folder / "base")
    for name, values in collection().items():
        write(folder / f"{name}.jsonl", values)
    (folder / "tiny.yaml").write_text(SPEC)
    return folder / "tiny.yaml"


def base(folder: Path) -> None:
    """A random BERT that knows the words."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=5 + len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )
    folder.mkdir(parents=True)
    BertModel(config).save_pretrained(folder)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder)
