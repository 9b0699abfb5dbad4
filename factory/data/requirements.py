"""Tests of the training rows as curation leaves them: what a spec requires, what was found, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.api import Curator, Decision, Row, Task

LABELS_OUTPUT_TYPE = "labels"
"""The form of answers that has labels to count."""


@dataclass(frozen=True, slots=True)
class CuratedRows:
    """What the built-in metrics are computed from: the rows that stay, how many came in, and what leaked."""

    rows: Sequence[Row]
    rows_before: int
    leak_count: int
    repeat_count: int
    task: Task


@dataclass(frozen=True, slots=True)
class MeasuredRequirement:
    """A metric's value, and the facts behind it in words."""

    value: float
    facts: str


def _measure_row_count(curated: CuratedRows) -> MeasuredRequirement:
    return MeasuredRequirement(len(curated.rows), f"of {curated.rows_before} that came to curation")


def _measure_rarest_label(curated: CuratedRows) -> MeasuredRequirement:
    counts = Counter(curated.task.render_target(row) for row in curated.rows)
    if not counts:
        return MeasuredRequirement(0, "there are no rows")
    rarest = min(counts, key=lambda label: (counts[label], label))
    return MeasuredRequirement(counts[rarest], f"{rarest!r}, the rarest of {len(counts)} labels")


def _measure_synthetic_share(curated: CuratedRows) -> MeasuredRequirement:
    return _compute_row_share(curated.rows, lambda row: bool(row.provenance.generator))


def _measure_doubt_share(curated: CuratedRows) -> MeasuredRequirement:
    return _compute_row_share(curated.rows, lambda row: bool(row.doubt))


def _measure_dropped_share(curated: CuratedRows) -> MeasuredRequirement:
    gone = curated.rows_before - len(curated.rows)
    return MeasuredRequirement(gone / curated.rows_before if curated.rows_before else 0.0, f"{gone} of {curated.rows_before} rows")


def _measure_leakage_dropped(curated: CuratedRows) -> MeasuredRequirement:
    return MeasuredRequirement(curated.leak_count, f"of {curated.rows_before} rows were too close to a frozen one")


def _measure_repeated_texts(curated: CuratedRows) -> MeasuredRequirement:
    return MeasuredRequirement(curated.repeat_count, "texts stand in test rows and, as they came, in training rows")


def _compute_row_share(rows: Sequence[Row], has: Callable[[Row], bool]) -> MeasuredRequirement:
    count = sum(map(has, rows))
    return MeasuredRequirement(count / len(rows) if rows else 0.0, f"{count} of {len(rows)} rows")


REQUIREMENT_METRICS: Mapping[str, Callable[[CuratedRows], MeasuredRequirement]] = {
    "rows": _measure_row_count, "labels_min": _measure_rarest_label, "share_synthetic": _measure_synthetic_share, "doubted": _measure_doubt_share,
    "dropped": _measure_dropped_share, "leakage_dropped": _measure_leakage_dropped, "repeats": _measure_repeated_texts,
}
REQUIREMENT_REMEDIES = {
    "rows": "add sources, synthesize, or drop fewer",
    "labels_min": "add rows of this label, or synthesize some",
    "share_synthetic": "add rows from sources",
    "doubted": "review the rows that carry a doubt",
    "dropped": "look at the funnel: a source may be no good, or a curator too strict",
    "leakage_dropped": "split by group, or mend the source that holds test rows",
    "repeats": "mend the source: its own split repeats itself",
}


def measure_curator_share(curator: Curator, rows: Sequence[Row], decisions: Sequence[Decision]) -> MeasuredRequirement:
    """The share of rows that a curator would drop, change or doubt."""
    hit = {decision.id for decision in decisions if not decision.kept or decision.row is not None}
    return _compute_row_share(rows, lambda row: row.id in hit)


def evaluate_requirement(require: Mapping[str, Any], found: MeasuredRequirement, remedy: str = "") -> dict[str, Any]:
    """One test as curate.json holds it: the metric, its value and limits, whether it passed, and how to mend it."""
    low, high = require["min"], require["max"]
    passed = (low is None or found.value >= low) and (high is None or found.value <= high)
    limits = {name: limit for name, limit in (("min", low), ("max", high)) if limit is not None}
    return {
        "metric": require["metric"], "value": round(found.value, 6), **limits, "facts": found.facts, "passed": passed,
        "remedy": remedy or REQUIREMENT_REMEDIES[require["metric"]],
    }


def describe_failed_requirements(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each test that failed: the figure, what was required, and the remedy."""
    return [_describe_failed_requirement(each) for each in tests if not each["passed"]]


def _describe_failed_requirement(each: Mapping[str, Any]) -> str:
    below = "min" in each and each["value"] < each["min"]
    limit = f"below the {each['min']:g}" if below else f"above the {each['max']:g}"
    change = f"{'lower' if below else 'raise'} its {'min' if below else 'max'}"
    said = f"data.require: {each['metric']} is {each['value']:g} ({each['facts']}), {limit} required"
    return f"{said}; {each['remedy']}, or {change}"
