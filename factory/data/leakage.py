"""Leakage: training rows that share a group, a text or a meaning with frozen rows, and the proof that none is left."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from factory.api.rows import TEST, Row
from factory.api.synthetic_rows import get_row_group
from factory.text.contained_texts import find_contained_texts
from factory.text.near_duplicates import find_nearest_frozen
from factory.text.normalise import normalise, normalise_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    EmbedFunction = Callable[[Sequence[str]], NDArray[np.float32]]
    """Texts → unit vectors, (texts, hidden)."""

GROUP, EXACT, NEAR, SEMANTIC = "group", "exact", "near", "semantic"
COSINE_TOLERANCE = 1e-5
"""Rounding differences between two matrix products of the same vectors: the proof must not be stricter than the
search that dropped rows."""
COSINE_BLOCK_ROWS = 2048
"""Training rows that are compared with all frozen rows at once."""


@dataclass(frozen=True, slots=True)
class LeakageCriteria:
    """The columns to compare, joined to one text, and the similarities from which on a row leaks.

    `near_threshold` is a Jaccard similarity of character 5-grams, `semantic_threshold` a cosine of the embeddings that
    `embed` returns (0: not compared). Rows that are `documents` leak as well if they contain so large a share of the
    word 5-grams of a frozen text.
    """

    text_columns: tuple[str, ...]
    near_threshold: float
    semantic_threshold: float = 0.0
    embed: EmbedFunction | None = None
    documents: bool = False

    def extract_compared_text(self, row: Row) -> str:
        """Return the text to compare; empty if none of the columns holds text."""
        values = [row.columns.get(column) for column in self.text_columns]
        return "\n".join(value for value in values if isinstance(value, str))


@dataclass(frozen=True, slots=True)
class Leak:
    """A training row that leaks a frozen row. `similarity` is that of their texts; 0 for a shared group."""

    row: str
    frozen_row: str
    match_type: str
    similarity: float

    @property
    def reason(self) -> str:
        """The reason in words, for the list of dropped rows."""
        if self.match_type == GROUP:
            return "same group as a frozen row"
        if self.match_type == EXACT:
            return "same text as a frozen row"
        measure = "cosine similarity" if self.match_type == SEMANTIC else "text similarity"
        return f"{measure} {self.similarity:.2f} to a frozen row"


def find_leaks(train: Sequence[Row], frozen: Sequence[Row], criteria: LeakageCriteria) -> list[Leak]:
    """Return every training row that leaks, in row order: by group, else by equal, near or semantically similar text.

    A synthetic row with a frozen parent leaks as if it had the parent's group.
    """
    first_column = criteria.text_columns[0] if criteria.text_columns else ""
    # Reversed, so that the first frozen row of a group is the one reported.
    by_group = {get_row_group(row, first_column): row.id for row in reversed(frozen)}
    frozen_ids = {row.id for row in frozen}
    leaks: dict[str, Leak] = {}
    for row in train:
        parents = [parent for parent in row.provenance.parents if parent in frozen_ids]
        match = by_group.get(row.group) if row.group else None
        if match or parents:
            leaks[row.id] = Leak(row.id, match or parents[0], GROUP, 0.0)
    texts = {row.id: criteria.extract_compared_text(row) for row in train if row.id not in leaks}
    frozen_texts = {row.id: criteria.extract_compared_text(row) for row in frozen}
    for name, match, similarity in find_nearest_frozen(texts, frozen_texts, criteria.near_threshold):
        same = normalise(texts[name]) == normalise(frozen_texts[match])
        leaks[name] = Leak(name, match, EXACT if same else NEAR, similarity)
    if criteria.documents:
        left = {name: text for name, text in texts.items() if name not in leaks}
        for name, match, share in find_contained_texts(left, frozen_texts, criteria.near_threshold):
            leaks[name] = Leak(name, match, NEAR, share)
    if criteria.semantic_threshold and criteria.embed:
        left = {name: text for name, text in texts.items() if name not in leaks and text.strip()}
        matches = _find_semantic_matches(left, frozen_texts, criteria.semantic_threshold, criteria.embed)
        leaks |= {name: Leak(name, match, SEMANTIC, similarity) for name, match, similarity in matches}
    return [leaks[row.id] for row in train if row.id in leaks]


def _find_semantic_matches(
    texts: Mapping[str, str], frozen: Mapping[str, str], threshold: float, embed: EmbedFunction
) -> Iterator[tuple[str, str, float]]:
    """Yield (name, frozen name, cosine) of the nearest frozen text for each text that reaches `threshold`.

    The search is exhaustive: all pairs are compared, in blocks of rows.
    """
    names, frozen_names = list(texts), [name for name, text in frozen.items() if text.strip()]
    if not names or not frozen_names:
        return
    frozen_vectors = embed([frozen[name] for name in frozen_names])
    for start in range(0, len(names), COSINE_BLOCK_ROWS):
        block = names[start : start + COSINE_BLOCK_ROWS]
        cosines = embed([texts[name] for name in block]) @ frozen_vectors.T
        best = cosines.argmax(axis=1)
        for index, name in enumerate(block):
            cosine = float(cosines[index, best[index]])
            if cosine >= threshold:
                yield name, frozen_names[best[index]], min(cosine, 1.0)


def build_leakage_proof(
    train: Sequence[Row], frozen: Sequence[Row], criteria: LeakageCriteria, dropped: Iterable[Leak] = ()
) -> dict[str, Any]:
    """Count what still leaks (all zero, or the build is wrong) and what was dropped, for the bundle.

    Computed again from the rows, independently of `dropped`; `compared` is the number of pairs of rows.
    """
    semantic_threshold = criteria.semantic_threshold
    strict = replace(criteria, semantic_threshold=semantic_threshold and semantic_threshold + COSINE_TOLERANCE)
    left = Counter(leak.match_type for leak in find_leaks(train, frozen, strict))
    gone = Counter(leak.match_type for leak in dropped)
    match_types = (GROUP, EXACT, NEAR, *((SEMANTIC,) if semantic_threshold else ()))
    semantic = {"semantic": left[SEMANTIC], "semantic_threshold": semantic_threshold} if semantic_threshold else {}
    return {
        "test_groups_in_training": left[GROUP], "exact": left[EXACT], "near": left[NEAR], **semantic,
        "dropped": {match_type: gone[match_type] for match_type in match_types},
        "compared": len(train) * len(frozen), "threshold": criteria.near_threshold,
    }


def count_remaining_leaks(evidence: Mapping[str, Any]) -> int:
    """Return how many training rows still leak according to a leakage proof."""
    return sum(int(evidence.get(name, 0)) for name in ("test_groups_in_training", "exact", "near", "semantic"))


def find_repeated_rows(rows: Iterable[Row], frozen: Iterable[Row], text_column: str) -> dict[str, Row]:
    """Return row id → frozen row for the rows that have the group or the words of a frozen row."""
    names: dict[str, Row] = {}
    for row in frozen:
        for key in _list_row_keys(row, text_column):
            names.setdefault(key, row)
    matches = {row.id: [names[key] for key in _list_row_keys(row, text_column) if key in names] for row in rows}
    return {name: found[0] for name, found in matches.items() if found}


def _list_row_keys(row: Row, text_column: str) -> list[str]:
    text = row.columns.get(text_column)
    words = normalise_words(text) if isinstance(text, str) else ""
    return [*([f"group {row.group}"] if row.group else []), *([f"text {words}"] if words else [])]


@dataclass(frozen=True, slots=True)
class RepeatedText:
    """A text that occurs in training and test rows, with the ids of the rows."""

    text: str
    train: tuple[str, ...]
    test: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text, "train": list(self.train), "test": list(self.test)}


def find_repeated_texts(train: Iterable[Row], frozen: Iterable[Row], columns: Sequence[str]) -> list[RepeatedText]:
    """Return the texts that test rows of the source's own split share with training rows, ignoring case.

    Compared character by character, without normalisation as in `find_leaks`; a text of ten rows is one repeat.
    """
    criteria = LeakageCriteria(tuple(columns), 1.0)
    sides: list[defaultdict[str, list[Row]]] = [defaultdict(list), defaultdict(list)]
    for side, rows in zip(sides, (train, (row for row in frozen if row.split == TEST)), strict=True):
        for row in rows:
            side[criteria.extract_compared_text(row).lower()].append(row)
    in_train, in_test = sides
    return [
        RepeatedText(
            criteria.extract_compared_text(rows[0]), tuple(r.id for r in in_train[text]), tuple(r.id for r in rows)
        )
        for text, rows in in_test.items() if text.strip() and text in in_train
    ]
