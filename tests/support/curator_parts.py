"""What the tests of curators share: rows from texts, and an embedder for which words of one meaning are one word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rerank_parts import BASE, HERE, HashKit
from tiny_parts import Voice

from factory.api import Curator, Decision, Row, RowsJob
from factory_classify.task import Classifier

MEANINGS = {"cancel": "stop", "terminate": "stop", "plan": "subscription", "membership": "subscription", "lost": "gone"}


class MeaningKit(HashKit):
    """Texts as hashed words after synonyms are made one."""

    def embed(self, base: Any, texts: Sequence[str], report: Any = None) -> np.ndarray:
        plain = [" ".join(MEANINGS.get(word, word) for word in text.lower().strip(".!?").split()) for text in texts]
        return super().embed(base, plain, report)


def rows_of(*texts: str, **columns: Sequence[Any]) -> list[Row]:
    """Rows r0, r1, … with a text each, and further columns."""
    made = [{"text": text, **{name: values[i] for name, values in columns.items()}} for i, text in enumerate(texts)]
    return [Row(f"r{i}", found, HERE) for i, found in enumerate(made)]


def asked(rows: Sequence[Row], voice: Voice | None = None) -> RowsJob:
    """A classifier's training rows, for a curator."""
    return RowsJob(
        7, voice or Voice(), Path(), kit_loader=MeaningKit, models={"embedder": BASE},  # type: ignore[arg-type]
        rows=rows, base=BASE, task=Classifier(),
    )


def decided(curator: Curator, rows: Sequence[Row], voice: Voice | None = None) -> dict[str, Decision]:
    """What a curator says, by row."""
    return {decision.id: decision for decision in curator.curate(asked(rows, voice))}


def dropped(curator: Curator, *texts: str) -> list[str]:
    """The texts that a curator drops."""
    rows = rows_of(*texts)
    said = decided(curator, rows)
    return [row["text"] for row in rows if row.id in said and not said[row.id].kept]
