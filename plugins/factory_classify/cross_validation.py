"""Rows that are left out of a training, to choose what follows it: validation rows, a part of all rows, or each part in
turn (cross-validation).

What was chosen on parts serves a model of all rows, as in scikit-learn's CalibratedClassifierCV without an ensemble.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import TYPE_CHECKING, Literal

from factory.api import Reporter, Row, Task
from factory.api.synthetic_rows import get_row_group
from factory_classify.logistic_head import SPLIT_SEED

if TYPE_CHECKING:
    from factory_classify.label_answers import Indices

NEVER = -1
"""The fold of rows that every training has."""
FEW_ROWS = 500
"""Below it `auto` leaves out each part in turn, as the rows of one part are too few to choose by."""
PARTS, MAX_PART_ROWS = 5, 1000
NEGLIGIBLE_SHARE = 0.05
"""A part of at most this share of the rows is not worth a second training."""

ChooseOn = Literal["auto", "validation", "part", "folds"]


@dataclass(frozen=True, slots=True)
class Fold:
    """The positions of the rows that are trained on, and of those that are left out and judged."""

    trained: Indices
    left_out: Indices


@dataclass(frozen=True, slots=True)
class HeldOutPlan:
    """The trainings that leave rows out, and whether one of all rows follows, which is the one that is kept."""

    folds: Sequence[Fold]
    refit: bool

    def describe(self, rows: int) -> str:
        """Return what is trained on and chosen on, for the journal."""
        left_out, count = sum(len(fold.left_out) for fold in self.folds), len(self.folds)
        earlier = "an earlier training left out" if count == 1 else f"{count} earlier trainings left out in turn"
        return f"trained on all {rows} rows; what follows training is chosen on {left_out} of them, which {earlier}"


def plan_held_out(
    choose_on: ChooseOn, task: Task, rows: Sequence[Row], labels: Sequence[tuple[int, ...]], validation: int
) -> HeldOutPlan:
    """Return what to leave out of which training; the last `validation` of the rows are validation rows.

    `auto`: each of five parts in turn below 500 rows, else one part, of a fifth of the rows or 1000 of them. Without
    rows to leave out there are no folds.
    """
    import numpy as np

    count, few = len(rows), len(rows) < FEW_ROWS
    if choose_on == "validation":
        edge = count - validation
        folds = [Fold(np.arange(edge), np.arange(edge, count))] if validation else []
        return HeldOutPlan(folds, refit=False)
    if choose_on == "folds" or (choose_on == "auto" and few):
        return HeldOutPlan(split_folds(task, rows, labels, PARTS), refit=True)
    part = split_folds(task, rows, labels, max(PARTS, ceil(count / MAX_PART_ROWS)))[:1]
    return HeldOutPlan(part, refit=not part or len(part[0].left_out) > NEGLIGIBLE_SHARE * count)


def split_folds(task: Task, rows: Sequence[Row], labels: Sequence[tuple[int, ...]], count: int) -> list[Fold]:
    """Return folds that leave out each row once, alike in the frequency of each label; `labels` are those of each row.

    A row and what was synthesised from it are left out together, and synthetic rows are not judged. Where one fold has
    all rows of a label, none of them is left out. (scikit-learn's StratifiedGroupKFold refuses such labels.)
    """
    import numpy as np

    families = _list_row_families(task, rows)
    numbers = _deal_families(families, labels, count)
    members = np.array([numbers[family] for family in families], dtype=np.int64)
    owners: defaultdict[int, list[int]] = defaultdict(list)
    for position, own in enumerate(labels):
        for label in own:
            owners[label].append(position)
    for positions in owners.values():
        if len({*members[positions].tolist()}) == 1:
            members[positions] = NEVER
    judged = np.array([not row.provenance.generator for row in rows])
    folds = [Fold(np.flatnonzero(members != number), np.flatnonzero((members == number) & judged))
             for number in range(count)]
    return [fold for fold in folds if len(fold.left_out)]


def _list_row_families(task: Task, rows: Sequence[Row]) -> list[str]:
    """Return the group of each row; for a synthetic one, that of the row which it comes from in the end."""
    known, families = {row.id: row for row in rows}, []
    for row in rows:
        seen = {row.id}
        origin = row
        while (parent := known.get(next(iter(origin.provenance.parents), ""))) and parent.id not in seen:
            origin = parent
            seen.add(parent.id)
        families.append(get_row_group(origin, task.text_column))
    return families


def _deal_families(families: Sequence[str], labels: Sequence[tuple[int, ...]], count: int) -> dict[str, int]:
    """Return family → fold: those with the same labels go to the folds in turn, in a random order."""
    by_labels: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    first_labels: dict[str, tuple[int, ...]] = {}
    for family, own in zip(families, labels, strict=True):
        first_labels.setdefault(family, own)
    for family in sorted(first_labels):
        by_labels[first_labels[family]].append(family)
    draw, order = Random(SPLIT_SEED), []
    for own in sorted(by_labels):
        order += draw.sample(by_labels[own], len(by_labels[own]))
    return {family: number % count for number, family in enumerate(order)}


class PartReporter:
    """Reports one of several trainings: its steps as a part of all of them, and the curve of the last, nameless one."""

    def __init__(self, whole: Reporter, name: str, before: int, total: int) -> None:
        self.whole, self.name, self.before, self.total = whole, name, before, total

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Report steps as a part of those of all trainings; anything else as it is."""
        if unit == "steps":
            self.whole.report_progress(self.before + done, self.total, unit)
        else:
            self.whole.report_progress(done, total, unit)

    def log_metrics(self, step: int, **values: float) -> None:
        """Log what the last training measures; several curves would be drawn as one."""
        if not self.name:
            self.whole.log_metrics(step, **values)

    def note(self, text: str, *, warning: bool = False) -> None:
        """Record a note with the name of the training."""
        self.whole.note(f"{self.name}: {text}" if self.name else text, warning=warning)
