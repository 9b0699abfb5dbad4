"""A small world for several labels a row: a text has the labels whose words it holds, and some texts have none."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classify_parts import BASE, NOISE, WORDS, HashKit, base
from tiny_parts import Voice

from factory.api import Answer, AnswerJob, Provenance, Row, ScoreJob
from factory_classify.multi_label_objective import MultiLabelObjective
from factory_classify.multi_label_task import MultiLabelClassifier

HERE = Provenance("rows.jsonl", 3)
LABELS = tuple(sorted(WORDS))
SPEC = """\
apiVersion: factory/v1
name: tiny-labels
task: {kind: classifier, multi_label: true}
models: {student: ./base}
data:
  sources:
    - {kind: csv, file: rows.csv, columns: [text, label], lists: {label: ';'}, licence: CC0-1.0}
  split: {test: 60, validation: 40}
objective: {kind: multi-label, max_length: 16}
adapter: {rank: 4}
train: {epochs: 3, batch_size: 8, learning_rate: 5e-3, precision: fp32}
contenders: [tuned, linear, centroid, knn, tfidf, majority, untuned]
targets: [peft, merged]
gate: {resamples: 500}
budget: {threads: 1}
"""


def task(**fields: Any) -> MultiLabelClassifier:
    return MultiLabelClassifier(multi_label=True, **fields)


def row(text: str, *labels: str, name: str = "r") -> Row:
    return Row(name, {"text": text, "label": list(labels)}, HERE)


def rows(count: int = 90, seed: int = 1) -> list[Row]:
    draw, made = random.Random(seed), []
    for number in range(count):
        chosen = draw.sample(LABELS, number % 3)  # none, one or two
        words = [word for label in chosen for word in draw.sample(WORDS[label], 2)]
        words += draw.sample(NOISE, 3)
        draw.shuffle(words)
        made.append(row(f"{' '.join(words)} n{number}", *chosen, name=f"r{number}"))
    return made


def ask(kit: Any = HashKit, **changed: Any) -> AnswerJob:
    """Thirty test rows, 120 to learn from, sixty to choose on."""
    every = rows(210)
    parts = {"rows": every[:30], "validation": every[30:90], "train": every[90:], **changed}
    return AnswerJob(
        7, Voice(), Path(), kit_loader=kit, base=BASE, task=task(), objective=MultiLabelObjective(), artifact=None,
        **parts,
    )


def scored(outputs: Sequence[dict[str, list[float]]], labels: Sequence[Sequence[str]]) -> ScoreJob:
    asked = [row("", *right, name=f"r{number}") for number, right in enumerate(labels)]
    answers = {each.id: Answer(each.id, output) for each, output in zip(asked, outputs, strict=True)}
    return ScoreJob(7, Voice(), Path(), rows=asked, answers=answers, train=asked)


def project(folder: Path) -> Path:
    """A spec with its CSV file and its base; returns the spec."""
    base(folder / "base")
    lines = [f"{each['text']},{json.dumps(';'.join(each['label']), ensure_ascii=False)}\n" for each in rows(240)]
    (folder / "rows.csv").write_text("text,label\n" + "".join(lines), encoding="utf-8")
    (folder / "tiny.yaml").write_text(SPEC)
    return folder / "tiny.yaml"
