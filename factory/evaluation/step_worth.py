"""The worth of each step of a training course: what it made against what the step before made, by the gate's metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from factory.api.rows import Metric
from factory.evaluation.reasons import BaselineComparison
from factory.evaluation.rules import UNTUNED
from factory.evaluation.score_table import ScoreTable
from factory.evaluation.table_tests import run_gain_tests

if TYPE_CHECKING:
    from factory.spec.fields import Gate


def measure_steps(
    table: ScoreTable, metric: Metric, gate: Gate, steps: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Return the part of gate.json about steps: for each its `objective`, the `contender` that answers with what it
    made, and what that gains over the contender `before` it, tested as the gate tests against zero.

    The first step has no such gain if the spec has no contender that is the base before training.
    """
    found, before = [], UNTUNED
    for number, step in enumerate(steps, 1):
        facts: dict[str, Any] = {"step": number, "objective": step["objective"], "contender": step["contender"]}
        if before in table.rows:
            gain = run_gain_tests(table, metric, gate, [before], 0.0, step["contender"])[0]
            tested = BaselineComparison(before, gain.result).to_json()
            facts |= {"before": tested.pop("baseline"), **tested}
        found.append(facts)
        before = step["contender"]
    return found
