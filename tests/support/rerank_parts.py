"""A small world for the reranker: six documents, four queries, and an embedder that hashes words."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tiny_parts import Voice

from factory.api import Base, Provenance, Row, RowsJob
from factory_rerank.task import Reranker

HERE = Provenance("parts")
BASE = Base(Path("nowhere"), "hash", "1", "0", "MIT")
DOCUMENTS = {
    "N13.5": "Crossing vessel and stricture of ureter without hydronephrosis",
    "N13.1": "Hydronephrosis with ureteral stricture",
    "N20.0": "Calculus of kidney",
    "E11.9": "Type 2 diabetes mellitus without complications",
    "E10.9": "Type 1 diabetes mellitus without complications",
    "J45.9": "Unspecified asthma",
}
QUERIES = {
    "a": ("Kinking and stricture of ureter", {"N13.5": 1}),
    "b": ("Kidney stone", {"N20.0": 1}),
    "c": ("diabetes type 1", {"E10.9": 2, "E11.9": 1}),
    "d": ("Bronchial spasm", {"J45.9": 1}),
}


class HashKit:
    """Texts as normalised counts of hashed words: alike texts are near, and no model is needed."""

    def embed(self, base: Base, texts: Sequence[str], report: Any = None) -> np.ndarray:
        vectors = np.full((len(texts), 64), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % 64] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def documents() -> dict[str, Row]:
    return {name: Row(name, {"text": text}, HERE, name[:3], table="documents") for name, text in DOCUMENTS.items()}


def queries() -> list[Row]:
    return [Row(name, {"query": text, "relevant": right}, HERE) for name, (text, right) in QUERIES.items()]


def job(rows: Sequence[Row], voice: Voice | None = None) -> RowsJob:
    return RowsJob(
        7, voice or Voice(), Path(), {"documents": documents()}, HashKit,  # type: ignore[arg-type]
        rows=rows, base=BASE, task=Reranker(),
    )
