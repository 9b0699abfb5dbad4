"""Distributions of rows: histograms of lengths and scores, counts of labels, scripts, sources and generators."""

from __future__ import annotations

import math
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

from factory.api import Row
from factory.review import RowContent
from factory.review.stratified_sampling import MAX_LABELS, get_judge_score

HISTOGRAM_BINS = 12
SCRIPT_LETTERS = 200
"""Number of letters from which the script of a text is detected."""
MAX_LISTED_VALUES = 24
NO_LABEL = "no label"
"""How a row with an empty list of labels is counted."""
MAX_LABEL_LETTERS = 60
"""Longer values are texts, not labels."""


@dataclass(frozen=True, slots=True)
class HistogramBin:
    """The rows with low <= value < high; the last bin also has all larger values. `name` is its label."""

    name: str
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram of a number per row, such as the words of its answer; `most` is the largest value."""

    title: str
    unit: str
    rows: int
    mean: float
    median: float
    p95: float
    most: float
    bins: tuple[HistogramBin, ...]

    def to_json(self) -> dict[str, Any]:
        return {"form": "histogram", **asdict(self)}


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """The number of rows of each value, the most frequent first; `others` counts unlisted values and their rows."""

    title: str
    rows: int
    values: tuple[tuple[str, int], ...]
    others: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        listed = [{"value": value, "rows": rows} for value, rows in self.values]
        return {"form": "counts", "title": self.title, "rows": self.rows, "values": listed,
                "others": {"values": self.others[0], "rows": self.others[1]}}


Distribution = Histogram | ValueCounts


def compute_distributions(rows: Iterable[Row], content: RowContent) -> list[Distribution]:
    """Return the distributions of rows, read in one pass. Those with a single value are left out, except for sources
    and generators.
    """
    counter = _DistributionCounter(content)
    for row in rows:
        counter.count_row(row)
    return counter.build_distributions()


class _DistributionCounter:
    """The counts of one pass over rows."""

    def __init__(self, content: RowContent) -> None:
        self.content = content
        self.lengths: dict[str, array[int]] = {}
        self.answers: dict[str, Counter[str]] = {name: Counter() for name in content.target}
        self.label_lists: Counter[str] = Counter()
        """Column → rows whose answer is a list of labels."""
        self.scripts: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.generators: Counter[str] = Counter()
        self.doubts: Counter[str] = Counter()
        self.scores: array[float] = array("d")
        self.rows = 0

    def count_row(self, row: Row) -> None:
        self.rows += 1
        for name in self.content.columns:
            value = row.columns.get(name)
            if isinstance(value, str):
                self.lengths.setdefault(name, array("L")).append(len(value.split()))
        for name, counts in self.answers.items():
            value = row.columns.get(name)
            if isinstance(value, str | int) and len(counts) <= MAX_LABELS and len(str(value)) <= MAX_LABEL_LETTERS:
                counts[str(value)] += 1
            elif isinstance(value, list | tuple) and all(isinstance(label, str) for label in value):
                self.label_lists[name] += 1
                counts.update(value or [NO_LABEL])
        inputs = [value for value in self.content.select_inputs(row).values() if isinstance(value, str)]
        self.scripts[detect_script(" ".join(inputs))] += 1
        self.sources[row.provenance.source or "none"] += 1
        self.generators[row.provenance.generator or "none (source row)"] += 1
        score = get_judge_score(row)
        if score is not None:
            self.scores.append(score)
        if row.doubt:
            self.doubts[row.doubt] += 1

    def build_distributions(self) -> list[Distribution]:
        """Return the distributions, those of answers first."""
        max_labels = max(2, min(MAX_LABELS, self.rows // 2))
        labels = {
            name: counts for name, counts in self.answers.items()
            if 1 < len(counts) <= max_labels and self.rows in (counts.total(), self.label_lists[name])
        }
        result: list[Distribution] = [
            replace(_build_value_counts(name, counts), rows=self.rows) for name, counts in labels.items()
        ]
        for name, lengths in self.lengths.items():
            if name not in labels and max(lengths, default=0) > 1:
                result.append(_build_histogram(f"length of {name}", "words", lengths))
        result += [_build_value_counts("script", self.scripts)] if len(self.scripts) > 1 else []
        result += [_build_value_counts("source", self.sources), _build_value_counts("generator", self.generators)]
        result += [_build_histogram("judge's score", "", self.scores)] if self.scores else []
        result += [_build_value_counts("reason for doubt", self.doubts)] if self.doubts else []
        return [distribution for distribution in result if distribution.rows]


def _build_value_counts(title: str, counts: Mapping[str, int]) -> ValueCounts:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed, rest = ranked[:MAX_LISTED_VALUES], ranked[MAX_LISTED_VALUES:]
    return ValueCounts(title, sum(counts.values()), tuple(listed), (len(rest), sum(rows for _, rows in rest)))


def _build_histogram(title: str, unit: str, values: Sequence[float]) -> Histogram:
    """Build bins of a round width up to the 99th percentile; the last bin has all larger values."""
    ordered = sorted(values)
    count, high, whole = len(ordered), _compute_quantile(ordered, 0.99), bool(unit)
    width = _round_bin_width((high - ordered[0]) / HISTOGRAM_BINS, whole=whole)
    start = math.floor(ordered[0] / width) * width
    bins = max(1, math.floor((high - start) / width + 1e-9) + 1)
    rows = Counter(min(bins - 1, math.floor((value - start) / width + 1e-9)) for value in ordered)
    edges = pairwise(round(start + i * width, 9) for i in range(bins + 1))
    return Histogram(
        title, unit, count, round(sum(ordered) / count, 3), _compute_quantile(ordered, 0.5),
        _compute_quantile(ordered, 0.95), ordered[-1], tuple(
            HistogramBin(_format_bin_name(low, high, i == bins - 1 and ordered[-1] >= high, whole), low, high, rows[i])
            for i, (low, high) in enumerate(edges)
        ),
    )


def _compute_quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def _round_bin_width(width: float, *, whole: bool) -> float:
    """Round up to 1, 2 or 5 times a power of ten; at least 1 for whole numbers."""
    if width <= 0:
        return 1.0 if whole else 0.1
    power = 10.0 ** math.floor(math.log10(width))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= width * (1 - 1e-9))
    return max(1.0, step) if whole else step


def _format_bin_name(low: float, high: float, is_open: bool, whole: bool) -> str:
    """Return the label of a bin: a number, a range, or "N and more" for an open one."""
    if is_open:
        return f"{low:g} and more"
    last = high - 1 if whole else high
    return f"{low:g}" if last <= low else f"{low:g}–{last:g}"


def detect_script(text: str) -> str:
    """Return the script of most letters of a text, from the first word of their Unicode names, such as `arabic`."""
    names = Counter(_get_letter_script(letter) for letter in text[:SCRIPT_LETTERS] if letter.isalpha())
    return min(names, key=lambda name: (-names[name], name)) if names else "no letters"


@cache
def _get_letter_script(letter: str) -> str:
    return unicodedata.name(letter, "unknown").partition(" ")[0].lower()
