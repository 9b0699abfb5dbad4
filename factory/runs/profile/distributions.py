"""How rows are spread: lengths and scores as histograms, labels, scripts, sources and generators as counts."""

from __future__ import annotations

import math
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from factory.api import Row
from factory.review import RowContent
from factory.review.stratified_sampling import MAX_LABELS

HISTOGRAM_BINS = 12
SCRIPT_LETTERS = 200
"""Letters of a text by which its script is told."""
MAX_LISTED_VALUES = 24
MAX_LABEL_LETTERS = 60
"""Letters of a value beyond which it is a text and no label."""


@dataclass(frozen=True, slots=True)
class HistogramBin:
    """Rows whose value lies from `low` up to below `high`; the last bin has everything above too. `name` says so."""

    name: str
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Numbers of rows, such as words of an answer."""

    title: str
    unit: str
    rows: int
    mean: float
    median: float
    p95: float
    most: float
    bins: tuple[HistogramBin, ...]

    def to_json(self) -> dict[str, Any]:
        """With its form named."""
        return {"form": "histogram", **asdict(self)}


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """How many rows have each value, the commonest first; `others` are values and rows that are not listed."""

    title: str
    rows: int
    values: tuple[tuple[str, int], ...]
    others: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        """With its form named."""
        listed = [{"value": value, "rows": rows} for value, rows in self.values]
        return {"form": "counts", "title": self.title, "rows": self.rows, "values": listed,
                "others": {"values": self.others[0], "rows": self.others[1]}}


Distribution = Histogram | ValueCounts


def compute_distributions(rows: Iterable[Row], content: RowContent) -> list[Distribution]:
    """Every spread of some rows that says something, read in one pass; a spread over a single value is left out,
    but for those of sources and generators."""
    seen = _DistributionCounter(content)
    for row in rows:
        seen.count_row(row)
    return seen.build_distributions()


class _DistributionCounter:
    """What one pass over rows counts."""

    def __init__(self, content: RowContent) -> None:
        self.content = content
        self.lengths: dict[str, array[int]] = {}
        self.answers: dict[str, Counter[str]] = {name: Counter() for name in content.target}
        self.scripts: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.generators: Counter[str] = Counter()
        self.doubts: Counter[str] = Counter()
        self.scores: array[float] = array("d")
        self.rows = 0

    def count_row(self, row: Row) -> None:
        """Count one row."""
        self.rows += 1
        for name in self.content.columns:
            value = row.columns.get(name)
            if isinstance(value, str):
                self.lengths.setdefault(name, array("L")).append(len(value.split()))
        for name, counts in self.answers.items():
            value = row.columns.get(name)
            if isinstance(value, str | int) and len(counts) <= MAX_LABELS and len(str(value)) <= MAX_LABEL_LETTERS:
                counts[str(value)] += 1
        given = [value for value in self.content.select_inputs(row).values() if isinstance(value, str)]
        self.scripts[detect_script(" ".join(given))] += 1
        origin = row.provenance
        self.sources[origin.source or "none"] += 1
        self.generators[origin.generator or "none: as the source gave it"] += 1
        score = origin.detail.get("score")
        if isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score):
            self.scores.append(float(score))
        if row.doubt:
            self.doubts[row.doubt] += 1

    def build_distributions(self) -> list[Distribution]:
        """The spreads, answers first."""
        labels = {name: counts for name, counts in self.answers.items() if self._is_label_column(counts)}
        found: list[Distribution] = [_build_value_counts(name, counts) for name, counts in labels.items()]
        for name, lengths in self.lengths.items():
            if name not in labels and max(lengths, default=0) > 1:
                found.append(_build_histogram(f"length of {name}", "words", lengths))
        found += [_build_value_counts("script", self.scripts)] if len(self.scripts) > 1 else []
        found += [_build_value_counts("source", self.sources), _build_value_counts("generator", self.generators)]
        found += [_build_histogram("judge's score", "", self.scores)] if self.scores else []
        found += [_build_value_counts("why a person should look", self.doubts)] if self.doubts else []
        return [each for each in found if each.rows]

    def _is_label_column(self, counts: Counter[str]) -> bool:
        return 1 < len(counts) <= max(2, min(MAX_LABELS, self.rows // 2)) and counts.total() == self.rows


def _build_value_counts(title: str, counts: Mapping[str, int]) -> ValueCounts:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    left = ranked[MAX_LISTED_VALUES:]
    return ValueCounts(
        title, sum(counts.values()), tuple(ranked[:MAX_LISTED_VALUES]), (len(left), sum(rows for _, rows in left))
    )


def _build_histogram(title: str, unit: str, values: Sequence[float]) -> Histogram:
    """Bins of a round width from the least value to the 99th percentile; what lies above is in the last one."""
    ordered = sorted(values)
    count, least, high = len(ordered), ordered[0], _compute_quantile(ordered, 0.99)
    width = _round_bin_width((high - least) / HISTOGRAM_BINS, whole=bool(unit))
    start = math.floor(least / width) * width
    bins = max(1, math.floor((high - start) / width + 1e-9) + 1)
    rows = Counter(min(bins - 1, math.floor((value - start) / width + 1e-9)) for value in ordered)
    edges = [_round_bin_edge(start + i * width) for i in range(bins + 1)]
    made = tuple(
        HistogramBin(
            _format_bin_name(low, high, beyond=i == bins - 1 and ordered[-1] >= high, whole=bool(unit)), low, high,
            rows[i]
        )
        for i, (low, high) in enumerate(pairwise(edges))
    )
    return Histogram(
        title, unit, count, round(sum(ordered) / count, 3), _compute_quantile(ordered, 0.5),
        _compute_quantile(ordered, 0.95),
        ordered[-1], made,
    )


def _compute_quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def _round_bin_width(width: float, *, whole: bool) -> float:
    """The next width of 1, 2 or 5 times a power of ten; at least 1 where values are whole."""
    if width <= 0:
        return 1.0 if whole else 0.1
    power = 10.0 ** math.floor(math.log10(width))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= width * (1 - 1e-9))
    return max(1.0, step) if whole else step


def _format_bin_name(low: float, high: float, *, beyond: bool, whole: bool) -> str:
    """What a bin is called: a whole number alone, a span, or all that is no less."""
    if beyond:
        return f"{low:g} and more"
    last = high - 1 if whole else high
    return f"{low:g}" if last <= low else f"{low:g}–{last:g}"


def _round_bin_edge(value: float) -> float:
    return round(value, 9)


def detect_script(text: str) -> str:
    """The script that most letters of a text are of, by the first word of their Unicode names, such as `arabic`."""
    names = Counter(_get_letter_script(letter) for letter in text[:SCRIPT_LETTERS] if letter.isalpha())
    return min(names, key=lambda name: (-names[name], name)) if names else "no letters"


@cache
def _get_letter_script(letter: str) -> str:
    return unicodedata.name(letter, "unknown").partition(" ")[0].lower()
