"""The checks of rows as data: how many of the training and frozen rows fail them, and whether that stops a build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from factory.api import TEST, TRAIN, VALIDATION, Finding, Row, Task, is_blank
from factory.api.label_sets import LABEL_SETS, list_row_labels
from factory.text.labels import find_label_spellings

LABEL_SPELLING, UNSEEN_LABEL = "label_spelling", "unseen_label"
FROZEN_LIMITED = ("empty", "missing", UNSEEN_LABEL)
"""Checks whose limits apply to frozen rows: what they find makes a verdict worthless. Others are only reported."""
VALIDATION_LIMITED = ("answer_truncated", "no_supervised_tokens")
"""Checks whose limits apply to validation rows as well: training is tuned on them, and they say nothing without answer.
Of test rows they are only reported, as the contenders are judged by what they answer."""
TRAINING_ONLY = ("rare_label",)
"""Checks that count training rows."""
ALL = "all"
"""The part of findings on the rows of all parts together."""
PART_NAMES = {TRAIN: "training", VALIDATION: "validation", TEST: "test", ALL: "training, validation and test"}
USUAL_TRUNCATED = 0.02
"""What `data.preflight.truncated: auto` tolerates."""
MAX_FINDING_EXAMPLES = 5
"""Number of examples kept per check."""
CHECK_REMEDIES = {
    LABEL_SPELLING: "write each label in one way",
    UNSEEN_LABEL: "add training rows of these labels, or remove the rows",
}


@dataclass(slots=True)
class RowFindings:
    """The findings on rows, by part, with the number of rows of each part; and problems that no limit tolerates."""

    rows: dict[str, int]
    by_part: dict[str, list[Finding]] = field(default_factory=lambda: {part: [] for part in PART_NAMES})
    problems: list[str] = field(default_factory=list)

    def add_label_findings(self, task: Task, parts: Mapping[str, Sequence[Row]]) -> None:
        """Add labels that are nearly equal to others, and frozen rows with a label that no training row has."""
        labels = {part: [list_row_labels(task, row) for row in rows] for part, rows in parts.items()}
        counts = Counter(label for rows in labels.values() for row in rows for label in row if not is_blank(label))
        spellings = {found.label: found.describe() for found in find_label_spellings(counts)}
        known = {label for row in labels[TRAIN] for label in row if not is_blank(label)}
        for part, rows in parts.items():
            for row, given in zip(rows, labels[part], strict=True):
                if near := next((label for label in given if label in spellings), None):
                    self.by_part[ALL].append(Finding(LABEL_SPELLING, row.id, spellings[near]))
                unseen = next((label for label in given if label not in known and not is_blank(label)), None)
                if unseen is not None:
                    text = f"no training row has the label {unseen[:60]!r}"
                    self.by_part[part].append(Finding(UNSEEN_LABEL, row.id, text))
        least = 1 if task.output_type == LABEL_SETS else 2
        if len(known) < least:
            names = f", {min(known)!r}" if known else ""
            self.problems.append(
                f"the training rows have {'one' if known else 'no'} label{names}; a classifier needs at least {least}: "
                f"add rows of {'another one' if known else 'labels'}"
            )


def read_limits(limits: Mapping[str, float | str], *, all_may_be_cut: bool = False) -> dict[str, float]:
    """Return the limits of checks as numbers. `truncated: auto` tolerates few rows, or all of them where texts are cut
    off because the base and the memory allow no more."""
    usual = 1.0 if all_may_be_cut else USUAL_TRUNCATED
    return {name: usual if limit == "auto" else float(limit) for name, limit in limits.items()}


def evaluate_checks(found: RowFindings, limits: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return every check of the training rows, and those of frozen rows that found something: the number and share of
    rows that fail, the limit, whether it passed, and examples."""
    names = {*limits, *(finding.check for finding in found.by_part[TRAIN])} - {UNSEEN_LABEL, LABEL_SPELLING}
    checks = [_evaluate_check(found, TRAIN, name, limits.get(name, 0.0)) for name in sorted(names)]
    if found.by_part[ALL]:
        checks.append({**_evaluate_check(found, ALL, LABEL_SPELLING, limits.get(LABEL_SPELLING, 0.0)), "part": ALL})
    for part in (TEST, VALIDATION):
        for name in sorted({finding.check for finding in found.by_part[part]} - {*TRAINING_ONLY}):
            is_limited = name in FROZEN_LIMITED or (part == VALIDATION and name in VALIDATION_LIMITED)
            limit = limits.get(name, 0.0) if is_limited else 1.0
            checks.append({**_evaluate_check(found, part, name, limit), "check": f"{name} ({part})", "part": part})
    return checks


def _evaluate_check(found: RowFindings, part: str, name: str, limit: float) -> dict[str, Any]:
    matching = [finding for finding in found.by_part[part] if finding.check == name]
    failing = list(dict.fromkeys(finding.row for finding in matching))  # a row may have several findings of a check
    share = len(failing) / _count_rows(found.rows, part) if failing else 0.0
    examples = _iterate_distinct(matching) if name == LABEL_SPELLING else matching
    return {
        "check": name, "rows": len(failing), "share": round(share, 6), "limit": limit, "passed": share <= limit,
        "examples": [{"row": each.row, "text": each.text} for each in islice(examples, MAX_FINDING_EXAMPLES)],
    }


def _count_rows(rows: Mapping[str, int], part: str) -> int:
    return sum(rows.values()) if part == ALL else rows[part]


def _iterate_distinct(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield one finding of each text."""
    seen = set[str]()
    for finding in findings:
        if finding.text not in seen:
            seen.add(finding.text)
            yield finding


def describe_check(check: Mapping[str, Any], rows: Mapping[str, int]) -> str:
    """Return a line about a check: how many of how many rows, and an example; of labels, all examples."""
    part, name = check.get("part", TRAIN), check["check"].partition(" ")[0]
    shown = check["examples"] if name == LABEL_SPELLING else check["examples"][:1]
    examples = "; ".join(f"{example['row']}: {example['text']}" for example in shown)
    return f"{name}: {check['rows']} of {_count_rows(rows, part)} {PART_NAMES[part]} rows, such as {examples}"


def describe_failures(checks: Iterable[Mapping[str, Any]], found: RowFindings) -> str:
    """Return the problems and failed checks, each with a remedy, in one line; empty if there are none."""
    lines = list(found.problems)
    for check in (check for check in checks if not check["passed"]):
        name = check["check"].partition(" ")[0]
        remedy = f"{CHECK_REMEDIES.get(name, 'fix the rows')}, or raise data.preflight.{name} above {check['limit']:g}"
        lines.append(f"{describe_check(check, found.rows)}; {remedy}")
    return "; ".join(lines)
