"""A linear head on the embeddings of the frozen base: what a baseline on them is deployed as."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.api import Answer, ModelJob, Objective, ReferenceAnswers
from factory.api.kit import EMBED_MAX_TOKENS
from factory.api.label_sets import HALF, LABEL_SETS, NUMBER_DIGITS, build_label_set_output
from factory_classify.label_answers import build_label_answer, compute_softmax
from factory_classify.lexical_baselines import render_row_texts
from factory_classify.logistic_head import LogisticHead, load_head, save_head
from factory_classify.one_vs_rest import compute_sigmoid

if TYPE_CHECKING:
    from factory_classify.label_answers import Numbers
    from factory_classify.logistic_head import Vectors

HEAD_FILE, HEAD_CONFIG_FILE = "head.safetensors", "head.json"
WEIGHT, BIAS = "weight", "bias"
BATCH_SIZE = 32


class FrozenBaseHead(Objective):
    """Answers by a linear head on the base's normalised mean embedding; nothing of the base is trained.

    A bundle of it is a few kilobytes, and loads with transformers and safetensors.
    """

    kind = "frozen-base-head"
    loader_class = "transformers:AutoModel"

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        if job.artifact is None:
            yield from _answer_evenly(job)
            return
        texts = render_row_texts(job.task, job.rows)
        yield from _answer_by_head(job, job.artifact.folder, job.kit.embed(job.base, texts, report=job.report))

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Write nothing: the head and the labels are all that the base needs."""

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        """Return the answers of plain transformers; without a head, all labels are equal."""
        if job.artifact is None:
            return ReferenceAnswers(tuple(_answer_evenly(job)), 0, self.loader_class)
        folder = job.artifact.folder
        vectors = embed_with_transformers(job.base.folder, render_row_texts(job.task, job.rows), read_config(folder))
        return ReferenceAnswers(tuple(_answer_by_head(job, folder, vectors)), 0, self.loader_class)


def write_frozen_head(
    folder: Path, head: LogisticHead, labels: Sequence[str], base: Path, thresholds: Iterable[float] = ()
) -> None:
    """Write the head, its labels in the order of its outputs, and how texts are embedded for it; with `thresholds`, a
    text has every label whose probability reaches its own."""
    save_head(folder / HEAD_FILE, head, WEIGHT, BIAS)
    positions = json.loads((base / "config.json").read_bytes()).get("max_position_embeddings", EMBED_MAX_TOKENS)
    config = {"labels": list(labels), "max_length": min(EMBED_MAX_TOKENS, positions), "pooling": "mean"}
    config |= {"thresholds": rounded} if (rounded := [round(float(each), NUMBER_DIGITS) for each in thresholds]) else {}
    (folder / HEAD_CONFIG_FILE).write_text(json.dumps(config, sort_keys=True, indent=2, ensure_ascii=False) + "\n")


def read_frozen_head(folder: Path) -> LogisticHead:
    """Read the head of an artifact or bundle."""
    return load_head(folder / HEAD_FILE, WEIGHT, BIAS)


def read_config(folder: Path) -> dict[str, Any]:
    """Read the labels and the embedding settings of an artifact or bundle."""
    config: dict[str, Any] = json.loads((folder / HEAD_CONFIG_FILE).read_text(encoding="utf-8"))
    return config


def embed_with_transformers(base: Path, texts: Sequence[str], config: dict[str, Any]) -> Vectors:
    """Return the normalised mean embeddings of texts by plain transformers: (texts, width)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(str(base)), AutoModel.from_pretrained(str(base)).float().eval()
    blocks = []
    for start in range(0, len(texts), BATCH_SIZE):
        inputs = tokenizer(
            list(texts[start : start + BATCH_SIZE]), padding=True, truncation=True, max_length=config["max_length"],
            return_tensors="pt",
        )
        with torch.inference_mode():
            tokens = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        blocks.append(torch.nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1), dim=-1))
    vectors: Vectors = torch.cat(blocks).numpy()
    return vectors


def _answer_by_head(job: ModelJob, folder: Path, vectors: Vectors) -> Iterator[Answer]:
    """Yield the answer to each row by the head in a folder, from the embeddings of the rows."""
    config, logits = read_config(folder), read_frozen_head(folder).compute_logits(vectors)
    labels, thresholds = config["labels"], config.get("thresholds")
    probabilities: Numbers = compute_softmax(logits) if thresholds is None else compute_sigmoid(logits)
    for row, each in zip(job.rows, probabilities.tolist(), strict=True):
        if thresholds is None:
            yield build_label_answer(row.id, labels, each)
        else:
            yield Answer(row.id, build_label_set_output(labels, each, thresholds))


def _answer_evenly(job: ModelJob) -> Iterator[Answer]:
    """Yield answers in which no label is more probable than another."""
    labels = job.task.list_choices(job.rows)
    for row in job.rows:
        if job.task.output_type == LABEL_SETS:
            halves = [HALF] * len(labels)
            yield Answer(row.id, build_label_set_output(labels, halves, halves))
        else:
            yield build_label_answer(row.id, labels, [1 / len(labels)] * len(labels))
