"""A whole build's stages, as folders, for the tiny task: what the stages before the bundle would have left."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from places import PACKAGES

from factory.api import Provenance, Row
from factory.data.rows import read_json, write_json, write_jsonl, write_rows
from factory.registry.registry import Registry
from factory.stages.job import StageJob

PACKAGE = PACKAGES / "tiny"
WORDS = ["kidney", "ureter", "stone", "stricture", "heart", "valve", "fever", "acute", "chronic", "left", "right", "of"]
INTERVAL = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 20}
CONFIG: dict[str, Any] = {
    "name": "tiny-ranker", "task": {"kind": "tiny"}, "objective": {"kind": "tiny-cosine"}, "tuned": "tuned", "seed": 7,
    "adapter": {"rank": 4, "alpha": 8.0, "dropout": 0.0}, "targets": [],
    "spec": {"apiVersion": "factory/v1", "models": {"student": "/somewhere/here"}},
}


class Voice:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Forgotten."""

    def log_metrics(self, step: int, **values: float) -> None:
        """Forgotten."""

    def note(self, text: str, *, warning: bool = False) -> None:
        self.notes.append(text)


def base(folder: Path) -> None:
    """A random BERT with a tokenizer of a dozen words, as the base stage leaves it."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    model = folder / "model"
    model.mkdir(parents=True)
    config = BertConfig(
        vocab_size=5 + len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(model)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(model)
    vocabulary.unlink()
    write_json(folder / "base.json", {
        "id": "tiny/bert", "revision": "1", "digest": "d" * 64, "licence": "MIT", "source": "local folder", "note": "",
    })


def adapter(model: Path, folder: Path) -> int:
    """A random adapter on the base, as peft itself writes it; returns how many layers carry it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from peft.tuners.lora import LoraLayer
    from transformers import AutoModel

    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["value", "query", "dense"], init_lora_weights=False)
    tuned = get_peft_model(AutoModel.from_pretrained(model), config)
    tuned.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    return sum(isinstance(module, LoraLayer) for module in tuned.modules())


def stages(home: Path) -> dict[str, Path]:
    """Role → folder of everything that the bundle stage reads."""
    inputs = {role: home / role for role in ("base", "gather", "freeze", "curate", "train", "score", "gate", "answer")}
    base(inputs["base"])
    modules = adapter(inputs["base"] / "model", inputs["train"] / "artifact")
    origin = Provenance("tiny.jsonl", 1, licence="CC0-1.0")
    texts = {f"d{i}": f"{word} {WORDS[i - 3]}" for i, word in enumerate(WORDS)}
    queries = {f"q{i}": f"{WORDS[i % 12]} of {WORDS[i % 7]}" for i in range(20)}
    documents = [Row(name, {"text": text}, origin, table="documents") for name, text in texts.items()]
    rows = [
        Row(name, {"query": query, "candidates": [f"d{(i + j) % 12}" for j in range(4)]}, origin)
        for i, (name, query) in enumerate(queries.items())
    ]
    write_rows(inputs["gather"] / "tables" / "documents.jsonl", documents)
    write_json(inputs["gather"] / "gather.json", {"sources": [{"kind": "tiny", "rows": 40, "licences": ["CC0-1.0"]}]})
    write_rows(inputs["freeze"] / "test.jsonl", rows)
    write_rows(inputs["curate"] / "train.jsonl", [])
    counts = {"train": 20, "validation": 0, "test": 20}
    write_json(inputs["freeze"] / "freeze.json", {"counts": counts, "groups": counts, "digests": {"test": "t" * 64}})
    proof = {"test_groups_in_training": 0, "exact": 0, "near": 0}
    write_json(inputs["curate"] / "curate.json", {"funnel": [], "leakage": proof})
    trained = {"steps": 1, "modules": modules, "trainable": 1, "parameters": 1, "facts": {}, "artifact": "adapter"}
    write_json(inputs["train"] / "train.json", trained)
    _judged(inputs)
    _answers(inputs, rows)
    return {**{role: path for role, path in inputs.items() if role != "answer"}, "answer[tuned]": inputs["answer"]}


def _judged(inputs: dict[str, Path]) -> None:
    metrics = [{"name": "ndcg@10", "what": "order", "higher_is_better": True}]
    contenders = {name: {"ndcg@10": {**INTERVAL, "mean": mean}} for name, mean in (("tuned", 0.6), ("bm25", 0.5))}
    write_json(inputs["score"] / "score.json", {"metrics": metrics, "contenders": contenders, "confidence": 0.95})
    counts = {"n": 20, "won": 9, "lost": 3, "tied": 8}
    compared = {"baseline": "bm25", "difference": 0.1, "low": 0.02, "high": 0.18, "p": 0.01, **counts}
    write_json(inputs["gate"] / "gate.json", {
        "verdict": "SHIP", "metric": "ndcg@10", "margin": 0.0, "confidence": 0.95, "tuned": INTERVAL,
        "comparisons": [compared], "best_baseline": "bm25", "reasons": ["tuned beats bm25"],
        "minimum_detectable_effect": 0.05, "ceiling": 0.9,
    })


def _answers(inputs: dict[str, Path], rows: list[Row]) -> None:
    """What the judged model says to every test row."""
    from tiny_bert import Tiny, TinyCosine

    from factory.api import Artifact, Base, ModelJob

    facts = read_json(inputs["base"] / "base.json")
    at = Base(inputs["base"] / "model", *(facts[name] for name in ("id", "revision", "digest", "licence")))
    tables = job(inputs, inputs["gather"]).read_side_tables()
    asked = ModelJob(
        seed=7, report=Voice(), root=Path(), tables=tables, rows=rows, base=at, task=Tiny(),
        artifact=Artifact("adapter", inputs["train"] / "artifact", at),
    )
    answers = ({"id": answer.id, "output": answer.output} for answer in TinyCosine().answer(asked))
    write_jsonl(inputs["answer"] / "answers.jsonl", answers)


def job(inputs: dict[str, Path], out: Path, **config: Any) -> StageJob:
    """A stage's job over these folders, with our targets and the tiny task registered."""
    from tiny_bert import factory_plugins as tiny

    from factory_targets import factory_plugins as targets

    out.mkdir(parents=True, exist_ok=True)
    work = out.parent / f"{out.name}.work"
    work.mkdir(exist_ok=True)
    registry = Registry.from_classes([*targets(), *tiny()])
    settings = json.loads(json.dumps({**CONFIG, **config}))
    return StageJob("test", settings, inputs, out, work, out.parent, out.parent, Voice(), registry)


def importable() -> None:
    """Put the tiny package on this process's path."""
    if str(PACKAGE) not in sys.path:
        sys.path.insert(0, str(PACKAGE))
