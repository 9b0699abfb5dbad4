"""Curation: time, peak memory and recall of planted duplicates at 50, 100 and 200 thousand rows, each in a new process.

The whole stage runs: rows are read, curated by `exact`, `near` and the filters, compared with 3,000 held-out rows
(frozen), checked for leakage and written. Texts follow Zipf's law over invented words, with planted copies.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
from entry import run_main

from factory.api import NoOpReporter, Provenance, Row, join_text_columns
from factory.data.rows import read_json, read_jsonl, write_json, write_rows
from factory.registry.registry import Registry
from factory.stages import curate
from factory.stages.job import StageJob
from factory.text.normalise import normalise
from factory.text.shingles import compute_jaccard, extract_shingles

CURATORS: tuple[dict[str, Any], ...] = (
    {"kind": "empty"}, {"kind": "exact"}, {"kind": "near", "threshold": 0.9}, {"kind": "length", "min": 3},
    {"kind": "characters"}, {"kind": "repetition"}, {"kind": "truncated"}, {"kind": "language", "scripts": ["latin"]},
    {"kind": "conflicts"}, {"kind": "pii"},
)
COPIES, NEAR = 0.02, 0.05
"""Shares of planted copies and near copies (a few words changed, with a Jaccard similarity of 0.9 or more)."""
LABELS = 20


class SyntheticTextWriter:
    """Generates texts of invented words with Zipf frequencies."""

    def __init__(self, seed: int, words: int = 60_000) -> None:
        self.draw = random.Random(seed)
        vocabulary = {
            "".join(self._draw_syllable() for _ in range(self.draw.choice((1, 2, 2, 3, 3, 4)))) for _ in range(words)
        }
        # Sorted before the shuffle: the order of a set of strings changes between processes.
        self.words = sorted(vocabulary)
        self.draw.shuffle(self.words)
        self.weights = list(accumulate(1 / (place + 3) for place in range(len(self.words))))

    def _draw_syllable(self) -> str:
        parts = ("bcdfghklmnprstvz", "aeiou", ("", "", "n", "r", "s"))
        return "".join(self.draw.choice(part) for part in parts)

    def write_text(self) -> str:
        """Return sentences of about 60 words in all, at least 8 and at most 300 (log-normal)."""
        size = max(8, min(300, round(self.draw.lognormvariate(3.9, 0.6))))
        words = self.draw.choices(self.words, cum_weights=self.weights, k=size)
        for start in range(0, size, 14):
            words[start] = words[start].capitalize()
            words[min(start + 13, size - 1)] += "."
        return " ".join(words)

    def write_near_duplicate(self, text: str) -> str:
        """Return the text with 2 % of its words replaced, at least one."""
        words = text.split()
        for _ in range(max(1, len(words) // 50)):
            words[self.draw.randrange(len(words))] = self.draw.choice(self.words)
        return " ".join(words)


def generate_rows(writer: SyntheticTextWriter, count: int) -> Iterator[Row]:
    """Yield rows; ids of those that repeat an earlier one begin with `copy` or `near`."""
    texts: list[tuple[str, str]] = []
    for place in range(count):
        roll, name = writer.draw.random(), f"row{place}"
        text, label = writer.write_text(), f"label{writer.draw.randrange(LABELS)}"
        if texts and roll < COPIES + NEAR:
            old, label = writer.draw.choice(texts)
            text, name = (old.upper(), f"copy{place}") if roll < COPIES else (
                writer.write_near_duplicate(old), f"near{place}"
            )
            both = ({"text": version, "label": label} for version in (old, text))
            similarity = compute_jaccard(*(extract_shingles(normalise(join_text_columns(columns))) for columns in both))
            # A short text may change too much: it is not counted as a near copy.
            name = name if similarity >= 0.9 else f"row{place}"
        else:
            texts.append((text, label))
        yield Row(name, {"text": text, "label": label}, Provenance("made", place + 1), split="train")


def prepare(folder: Path, count: int, frozen: int) -> None:
    """Write the folders that the stage reads."""
    writer = SyntheticTextWriter(7)
    rows = list(generate_rows(writer, count))
    write_rows(folder / "synthesize" / "train.jsonl", rows)
    texts = ({"text": writer.write_text(), "label": "label0"} for _ in range(frozen))
    test = [Row(f"t{i}", columns, Provenance("made"), split="test") for i, columns in enumerate(texts)]
    leaked = [
        Row(f"leaked{i}", {**row.columns, "text": writer.write_near_duplicate(row["text"])}, row.provenance,
            split="test")
        for i, row in enumerate(rows[:50])
    ]
    write_rows(folder / "freeze" / "test.jsonl", [*test, *leaked])
    write_rows(folder / "freeze" / "validation.jsonl", [])
    write_json(folder / "base" / "base.json", dict.fromkeys(("id", "revision", "digest", "licence"), "none"))


def curate_in_process(folder: Path) -> None:
    """Run the stage in this process and print time and memory as JSON."""
    registry = Registry.load()
    inputs = {role: folder / role for role in ("base", "freeze", "synthesize")}
    config = {"task": {"kind": "classifier"}, "curators": list(CURATORS), "leakage": {"jaccard": 0.8}, "text": "text",
              "require": [], "measures": [], "seed": 7}
    out = folder / "curate"
    out.mkdir()
    start, busy = time.perf_counter(), time.process_time()
    curate.run(StageJob("curate", config, inputs, out, folder, folder, folder, NoOpReporter(), registry))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu = time.process_time() - busy
    print(json.dumps({"seconds": time.perf_counter() - start, "cpu": cpu, "mib": peak}))


def measure_curation(count: int, frozen: int) -> dict[str, Any]:
    """Return seconds, MiB, and the recall of planted rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, count, frozen)
        stdout = subprocess.run(
            [sys.executable, __file__, "--child", name], check=True, capture_output=True, text=True
        ).stdout
        facts: dict[str, Any] = json.loads(stdout.splitlines()[-1])
        dropped = {line["row"]["id"] for line in read_jsonl(folder / "curate" / "dropped.jsonl")}
        ids = [line["id"] for line in read_jsonl(folder / "synthesize" / "train.jsonl")]
        facts |= {kind: compute_planted_recall(ids, dropped, kind) for kind in ("copy", "near")}
        facts["leaked"] = read_json(folder / "curate" / "curate.json")["leakage"]["dropped"]
        return facts


def compute_planted_recall(ids: Sequence[str], dropped: set[str], kind: str) -> float:
    """Return the share of planted rows of a kind that were dropped."""
    planted = [name for name in ids if name.startswith(kind)]
    return sum(name in dropped for name in planted) / max(1, len(planted))


@click.command(help=__doc__)
@click.option("--rows", default=(50_000, 100_000, 200_000), multiple=True, show_default=True)
@click.option("--frozen", default=3000, show_default=True)
@click.option("--child", "folder", type=click.Path(path_type=Path), hidden=True)
def main(rows: Sequence[int], frozen: int, folder: Path | None) -> None:
    """Print a line per number of rows."""
    if folder:
        curate_in_process(folder)
        return
    click.echo("   rows  seconds  CPU s  rows/s  peak MiB  copies found  near found  leaks dropped")
    for count in rows:
        facts = measure_curation(count, frozen)
        click.echo(
            f"{count:7d}  {facts['seconds']:7.1f}  {facts['cpu']:5.1f}  {count / facts['seconds']:6.0f}"
            f"  {facts['mib']:8.0f}  {facts['copy']:12.4f}  {facts['near']:10.4f}  {sum(facts['leaked'].values()):13d}"
        )


if __name__ == "__main__":
    run_main(main)
