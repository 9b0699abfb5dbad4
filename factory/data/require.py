"""Tests of the training rows as curation leaves them: what a spec requires, what was found, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.api import Curator, Decision, Row, Task

LABELS = "labels"
"""The form of answers that has labels to count."""


@dataclass(frozen=True, slots=True)
class Curated:
    """What the built-in metrics are computed from: the rows that stay, how many came in, and what leaked."""

    rows: Sequence[Row]
    came: int
    leaked: int
    repeats: int
    task: Task


@dataclass(frozen=True, slots=True)
class Found:
    """A metric's value, and the facts behind it in words."""

    value: float
    facts: str


def _rows(curated: Curated) -> Found:
    return Found(len(curated.rows), f"of {curated.came} that came to curation")


def _labels_min(curated: Curated) -> Found:
    counts = Counter(curated.task.target(row) for row in curated.rows)
    if not counts:
        return Found(0, "there are no rows")
    rarest = min(counts, key=lambda label: (counts[label], label))
    return Found(counts[rarest], f"{rarest!r}, the rarest of {len(counts)} labels")


def _share_synthetic(curated: Curated) -> Found:
    return _share(curated.rows, lambda row: bool(row.provenance.generator))


def _doubted(curated: Curated) -> Found:
    return _share(curated.rows, lambda row: bool(row.doubt))


def _dropped(curated: Curated) -> Found:
    gone = curated.came - len(curated.rows)
    return Found(gone / curated.came if curated.came else 0.0, f"{gone} of {curated.came} rows")


def _leakage_dropped(curated: Curated) -> Found:
    return Found(curated.leaked, f"of {curated.came} rows were too close to a frozen one")


def _repeats(curated: Curated) -> Found:
    return Found(curated.repeats, "texts stand in test rows and, as they came, in training rows")


def _share(rows: Sequence[Row], has: Callable[[Row], bool]) -> Found:
    count = sum(map(has, rows))
    return Found(count / len(rows) if rows else 0.0, f"{count} of {len(rows)} rows")


METRICS: Mapping[str, Callable[[Curated], Found]] = {
    "rows": _rows, "labels_min": _labels_min, "share_synthetic": _share_synthetic, "doubted": _doubted,
    "dropped": _dropped, "leakage_dropped": _leakage_dropped, "repeats": _repeats,
}
REMEDIES = {
    "rows": "add sources, synthesize, or drop fewer",
    "labels_min": "add rows of this label, or synthesize some",
    "share_synthetic": "add rows from sources",
    "doubted": "review the rows that carry a doubt",
    "dropped": "look at the funnel: a source may be no good, or a curator too strict",
    "leakage_dropped": "split by group, or mend the source that holds test rows",
    "repeats": "mend the source: its own split repeats itself",
}


def measured(curator: Curator, rows: Sequence[Row], decisions: Sequence[Decision]) -> Found:
    """The share of rows that a curator would drop, change or doubt."""
    hit = {decision.id for decision in decisions if not decision.kept or decision.row is not None}
    return _share(rows, lambda row: row.id in hit)


def test(require: Mapping[str, Any], found: Found, remedy: str = "") -> dict[str, Any]:
    """One test as curate.json holds it: the metric, its value and limits, whether it passed, and how to mend it."""
    low, high = require["min"], require["max"]
    passed = (low is None or found.value >= low) and (high is None or found.value <= high)
    limits = {name: limit for name, limit in (("min", low), ("max", high)) if limit is not None}
    return {
        "metric": require["metric"], "value": round(found.value, 6), **limits, "facts": found.facts, "passed": passed,
        "remedy": remedy or REMEDIES[require["metric"]],
    }


def failures(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each test that failed: the figure, what was required, and the remedy."""
    return [_failure(each) for each in tests if not each["passed"]]


def _failure(each: Mapping[str, Any]) -> str:
    below = "min" in each and each["value"] < each["min"]
    limit = f"below the {each['min']:g}" if below else f"above the {each['max']:g}"
    change = f"{'lower' if below else 'raise'} its {'min' if below else 'max'}"
    said = f"data.require: {each['metric']} is {each['value']:g} ({each['facts']}), {limit} required"
    return f"{said}; {each['remedy']}, or {change}"
