"""The order in which rows are reviewed: doubtful rows first, then others such that every prefix is stratified."""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from factory import identity
from factory.api import Row
from factory.review.row_content import RowContent

MAX_LABELS = 200
"""With more distinct answers, they are texts, not labels."""
SCORE_QUARTERS = 4
MAX_DOUBTFUL_SHARE = 0.5
"""Largest share of doubtful rows in a sample, so that acceptance can be estimated for other rows too."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """The stratum of a row. `score` is the quarter of the judge's scores, from the lowest; empty without a score."""

    label: str
    source: str
    generator: str
    score: str
    doubtful: bool

    def list_parts(self) -> dict[str, str]:
        """Return the parts by name, as in review.json, without empty ones."""
        parts = {"label": self.label, "source": self.source, "generator": self.generator or "none, from the source",
                 "score": self.score, "doubt": "doubtful" if self.doubtful else "none"}
        return {name: value for name, value in parts.items() if value}


class Stratifier:
    """Assigns rows to strata; all rows determine whether answers are labels, and the quarters of scores."""

    def __init__(self, rows: Iterable[Row], content: RowContent) -> None:
        self.content = content
        answers: set[str] = set()
        scores: list[float] = []
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007
            if len(answers) <= MAX_LABELS:
                answers.add(self._join_answer(row))
            score = get_judge_score(row)
            scores += [score] if score is not None else []
        # If hardly any answer occurs twice, answers are texts.
        self.has_labels = len(answers) <= min(MAX_LABELS, max(2, count // 2))
        scores.sort()
        self.quartile_edges = [
            scores[len(scores) * part // SCORE_QUARTERS] for part in range(1, SCORE_QUARTERS) if scores
        ]

    def assign_stratum(self, row: Row) -> Stratum:
        score, origin = get_judge_score(row), row.provenance
        number = bisect.bisect_right(self.quartile_edges, score) + 1 if score is not None else 0
        quarter = f"quarter {number} of {SCORE_QUARTERS}" if number else ""
        label = self._join_answer(row) if self.has_labels else ""
        return Stratum(label, origin.source, origin.generator, quarter, bool(row.doubt))

    def _join_answer(self, row: Row) -> str:
        return "; ".join(str(value) for value in self.content.select_answer(row).values())


def get_judge_score(row: Row) -> float | None:
    """Return the judge's score of a row; None without a finite number."""
    value: Any = row.provenance.detail.get("score")
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def draw_stratified_keys(strata: Mapping[str, Stratum], count: int, seed: int) -> list[str]:
    """Return `count` of these digests, in the order of review.

    Doubtful rows come first, but take at most half of the sample if there are enough others. Both are interleaved: the
    k-th of n rows of a stratum is placed at k / n, so that one of each stratum comes first, and then each by its size.
    The order within a stratum is by hash, so that added or removed rows hardly change it.
    """
    doubtful = _interleave_strata({key: stratum for key, stratum in strata.items() if stratum.doubtful}, seed)
    others = _interleave_strata({key: stratum for key, stratum in strata.items() if not stratum.doubtful}, seed)
    first = min(len(doubtful), math.ceil(count * MAX_DOUBTFUL_SHARE))
    rest = others[: max(0, count - first)]
    return [*doubtful[:first], *rest, *doubtful[first : count - len(rest)]]


def _interleave_strata(strata: Mapping[str, Stratum], seed: int) -> list[str]:
    members: defaultdict[Stratum, list[tuple[str, str]]] = defaultdict(list)
    for key, stratum in strata.items():
        members[stratum].append((identity.compute_key(["review", seed, key]), key))
    positions = [
        (index / len(rows), order, key) for rows in members.values() for index, (order, key) in enumerate(sorted(rows))
    ]
    return [key for _, _, key in sorted(positions)]
