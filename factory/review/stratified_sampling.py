"""In which order rows are shown: doubtful ones first, the rest such that every beginning is a stratified sample."""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory import identity
from factory.api import Row
from factory.review.row_content import RowContent

MAX_LABELS = 200
"""With more different answers than these, or hardly any twice, answers are texts and no labels."""
SCORE_QUARTERS = 4
MAX_DOUBTFUL_SHARE = 0.5
"""Share of a sample that doubtful rows may take while others wait: acceptance is to be known of both."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """What a row is counted under. `score` is the quarter of the judge's scores, from the lowest, or nothing."""

    label: str
    source: str
    generator: str
    score: str
    doubtful: bool

    def list_parts(self) -> dict[str, str]:
        """By name, as review.json lists them; parts that say nothing are left out."""
        named = {"label": self.label, "source": self.source, "generator": self.generator or "none, from the source",
                 "score": self.score, "doubt": "doubtful" if self.doubtful else "none"}
        return {name: value for name, value in named.items() if value}


class Stratifier:
    """The strata of some rows. What counts as a label, and the quarters of scores, are theirs."""

    def __init__(self, rows: Iterable[Row], content: RowContent) -> None:
        self.content = content
        answers: set[str] = set()
        scores: list[float] = []
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007
            if len(answers) <= MAX_LABELS:
                answers.add(self._join_answer(row))
            score = _get_judge_score(row)
            scores += [score] if score is not None else []
        self.has_labels = len(answers) <= min(MAX_LABELS, max(2, count // 2))
        self.quartile_edges = _compute_quartile_edges(sorted(scores))

    def assign_stratum(self, row: Row) -> Stratum:
        """The stratum of one of the rows."""
        score = _get_judge_score(row)
        quarter = (
            ""
            if score is None else f"quarter {bisect.bisect_right(self.quartile_edges, score) + 1} of {SCORE_QUARTERS}"
        )
        origin = row.provenance
        label = self._join_answer(row) if self.has_labels else ""
        return Stratum(label, origin.source, origin.generator, quarter, bool(row.doubt))

    def _join_answer(self, row: Row) -> str:
        return "; ".join(str(value) for value in self.content.select_answer(row).values())


def _get_judge_score(row: Row) -> float | None:
    """The judge's score of a row, when it has one."""
    value: Any = row.provenance.detail.get("score")
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if number else None


def _compute_quartile_edges(scores: Sequence[float]) -> list[float]:
    """The scores at which the second, third and fourth quarter begin."""
    return [scores[len(scores) * part // SCORE_QUARTERS] for part in range(1, SCORE_QUARTERS)] if scores else []


def draw_stratified_keys(strata: Mapping[str, Stratum], count: int, seed: int) -> list[str]:
    """`count` of these digests, in the order in which they are to be shown.

    Doubtful rows come first and take at most half of the sample while others wait. Within either, the k-th row of a
    stratum of n stands at k / n: one of each stratum at the beginning, then each by its size. The order within a
    stratum is a hash's, so that other rows coming or going hardly move it.
    """
    doubtful = _interleave_strata({key: each for key, each in strata.items() if each.doubtful}, seed)
    others = _interleave_strata({key: each for key, each in strata.items() if not each.doubtful}, seed)
    first = min(len(doubtful), math.ceil(count * MAX_DOUBTFUL_SHARE))
    rest = others[: max(0, count - first)]
    return [*doubtful[:first], *rest, *doubtful[first : count - len(rest)]]


def _interleave_strata(strata: Mapping[str, Stratum], seed: int) -> list[str]:
    members: defaultdict[Stratum, list[tuple[str, str]]] = defaultdict(list)
    for key, stratum in strata.items():
        members[stratum].append((identity.compute_key(["review", seed, key]), key))
    placed = [
        (place / len(found), order, key)
        for found in members.values() for place, (order, key) in enumerate(sorted(found))
    ]
    return [key for _, _, key in sorted(placed)]
