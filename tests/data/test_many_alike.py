"""Alike rows are connected by as many pairs as there are rows, and large comparisons are told before they begin."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from factory_curators import semantic_duplicates
from factory_curators.connected_components import find_components
from factory_curators.semantic_duplicates import _iterate_similar_pairs, describe_comparison
from factory_synth.label_spreading import describe_size


def pairs(vectors: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    texts = [f"text {number}" for number in range(len(vectors))]
    return list(_iterate_similar_pairs(texts, range(len(vectors)), vectors, threshold))


@pytest.mark.parametrize("seed", range(5))
def test_components_are_those_of_all_pairs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic_duplicates, "COSINE_BLOCK_ROWS", 32)
    monkeypatch.setattr(semantic_duplicates, "COSINE_BLOCK_COLUMNS", 50)
    vectors = np.random.default_rng(seed).normal(size=(200, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = vectors @ vectors.T >= 0.8
    every = [(a, b) for a, b in combinations(range(200), 2) if near[a, b]]
    found = pairs(vectors, 0.8)
    assert find_components(200, found) == find_components(200, every) and len(found) < 200 < len(every)
    assert {*found} <= {*every}


def test_equal_vectors_give_one_pair_a_row() -> None:
    assert len(pairs(np.full((3000, 16), 0.25, dtype=np.float32), 0.95)) == 2999, "4.5 million pairs are alike"


def test_sizes_are_told_before() -> None:
    assert describe_comparison(60_000) == "semantic: compares 60,000 texts, 1.8 billion pairs, in blocks of 32 MiB"
    assert describe_size(20_000, 5) == "" and "compares 200,000 texts, 40.0 billion pairs" in describe_size(200_000, 5)
