"""The tests in `data.require`: metrics of the curated training rows, their limits, and remedies for failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.api import Curator, Decision, Row, Task
from factory.api.label_sets import LABEL_SETS, list_row_labels

LABELS_OUTPUT_TYPES = ("labels", LABEL_SETS)
"""The output types whose tasks have labels to count."""


@dataclass(frozen=True, slots=True)
class CuratedRows:
    """The input of the built-in metrics: the remaining rows, and the numbers of rows, leaks and repeats before."""

    rows: Sequence[Row]
    rows_before: int
    leak_count: int
    repeat_count: int
    task: Task


@dataclass(frozen=True, slots=True)
class MeasuredRequirement:
    """The value of a metric, and an explanation (`facts`) for messages."""

    value: float
    facts: str


def _measure_rarest_label(curated: CuratedRows) -> MeasuredRequirement:
    counts = Counter(label for row in curated.rows for label in list_row_labels(curated.task, row))
    if not counts:
        return MeasuredRequirement(0, "no rows with a label are left" if len(curated.rows) else "no rows are left")
    rarest = min(counts, key=lambda label: (counts[label], label))
    return MeasuredRequirement(counts[rarest], f"{rarest!r}, the rarest of {len(counts)} labels")


def _measure_dropped_share(curated: CuratedRows) -> MeasuredRequirement:
    before = curated.rows_before
    dropped = before - len(curated.rows)
    return MeasuredRequirement(dropped / before if before else 0.0, f"{dropped} of {before} rows")


def _compute_row_share(rows: Sequence[Row], has: Callable[[Row], bool]) -> MeasuredRequirement:
    count = sum(map(has, rows))
    return MeasuredRequirement(count / len(rows) if rows else 0.0, f"{count} of {len(rows)} rows")


REQUIREMENT_METRICS: Mapping[str, Callable[[CuratedRows], MeasuredRequirement]] = {
    "rows": lambda curated: MeasuredRequirement(len(curated.rows), f"of {curated.rows_before} before curation"),
    "labels_min": _measure_rarest_label,
    "share_synthetic": lambda curated: _compute_row_share(curated.rows, lambda row: bool(row.provenance.generator)),
    "doubted": lambda curated: _compute_row_share(curated.rows, lambda row: bool(row.doubt)),
    "dropped": _measure_dropped_share,
    "leakage_dropped": lambda curated: MeasuredRequirement(
        curated.leak_count, f"of {curated.rows_before} rows leaked a frozen row"
    ),
    "repeats": lambda curated: MeasuredRequirement(
        curated.repeat_count, "texts are in the test and the training rows of the sources"
    ),
}
REQUIREMENT_REMEDIES = {
    "rows": "add sources, synthesize rows, or drop fewer",
    "labels_min": "add or synthesize rows with this label",
    "share_synthetic": "add rows from sources",
    "doubted": "review the rows that are flagged",
    "dropped": "check the funnel for a bad source or a curator that is too strict",
    "leakage_dropped": "split by group, or remove the test rows from the source",
    "repeats": "remove the duplicates from the source's own split",
}


def measure_curator_share(curator: Curator, rows: Sequence[Row], decisions: Sequence[Decision]) -> MeasuredRequirement:
    """Return the share of rows that a curator would drop, change or flag."""
    affected = {decision.id for decision in decisions if not decision.kept or decision.row is not None}
    return _compute_row_share(rows, lambda row: row.id in affected)


def evaluate_requirement(require: Mapping[str, Any], measured: MeasuredRequirement, remedy: str = "") -> dict[str, Any]:
    """Return a test as stored in curate.json: metric, value, limits, whether it passed, and the remedy."""
    low, high = require["min"], require["max"]
    passed = (low is None or measured.value >= low) and (high is None or measured.value <= high)
    limits = {name: limit for name, limit in (("min", low), ("max", high)) if limit is not None}
    return {
        "metric": require["metric"], "value": round(measured.value, 6), **limits, "facts": measured.facts,
        "passed": passed, "remedy": remedy or REQUIREMENT_REMEDIES[require["metric"]],
    }


def describe_failed_requirements(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each failed test: the value, the limit, and the remedy."""
    lines = []
    for test in (test for test in tests if not test["passed"]):
        below = "min" in test and test["value"] < test["min"]
        limit = f"below the required {test['min']:g}" if below else f"above the allowed {test['max']:g}"
        change = "lower its min" if below else "raise its max"
        problem = f"data.require: {test['metric']} is {test['value']:g} ({test['facts']}), {limit}"
        lines.append(f"{problem}; {test['remedy']}, or {change}")
    return lines
