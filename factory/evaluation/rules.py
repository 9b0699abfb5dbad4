"""The rules of the gate beside its comparisons: the floor, the target and the guards.

A rule is met, failed, or left open by its interval. Levels are tested by `score_table.estimate_level`, guards by the
paired test of the comparisons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.api.rows import Metric
from factory.errors import InputError
from factory.evaluation import paired_tests
from factory.evaluation.score_table import ScoreTable, estimate_level
from factory.evaluation.seed_tests import measure_seeds
from factory.evaluation.table_tests import TUNED
from factory.events import RuleState

if TYPE_CHECKING:
    from factory.evaluation.paired_tests import TestedDifference
    from factory.evaluation.statistics import ConfidenceInterval
    from factory.spec.fields import Gate, Guard

UNTUNED = "untuned"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """A rule of the gate, what its interval says of it, and that in a sentence without a full stop."""

    rule: str
    state: RuleState
    text: str
    facts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the rule as in gate.json."""
        return {"rule": self.rule, "state": str(self.state), "text": self.text, **self.facts}


@dataclass(frozen=True, slots=True)
class RuleJudge:
    """Judges the rules of a gate. `prompted` names the compared contenders that only prompt a model."""

    gate: Gate
    metric: Metric
    table: ScoreTable
    prompted: Collection[str]
    best_baseline: str

    def judge_rules(self) -> list[RuleResult]:
        """Return the result of every rule that the spec states."""
        gate, rules = self.gate, []
        if gate.floor is not None:
            rules.append(self.judge_floor(gate.floor))
        if gate.target is not None:
            rules.append(self.judge_target(gate.target))
        return [*rules, *self.judge_guards(gate.guards)]

    def judge_floor(self, floor: float) -> RuleResult:
        """Return whether tuned's own interval reaches the floor."""
        level = self._estimate_level(TUNED, self.gate.confidence)
        state = _compare_level(level, floor, self.metric)
        words = {
            RuleState.MET: "reaches", RuleState.FAILED: "does not reach", RuleState.OPEN: "is not shown to reach",
        }
        evidence = _describe_level(level, self.metric, self.gate.confidence)
        text = f"tuned {words[state]} the floor of {floor:g}: {evidence}"
        return RuleResult("floor", state, text, {"value": floor, **_list_level_facts(level)})

    def judge_target(self, target: float) -> RuleResult:
        """Return whether a prompted contender reaches the target by itself; of several, each is held to a share of the
        error (Bonferroni).
        """
        confidence = 1 - (1 - self.gate.confidence) / max(len(self.prompted), 1)
        levels = {name: self._estimate_level(name, confidence) for name in sorted(self.prompted)}
        states = {name: _compare_level(level, target, self.metric) for name, level in levels.items()}
        reached = [name for name, state in states.items() if state is RuleState.MET]
        shown = ", ".join(
            f"{name} {_describe_level(levels[name], self.metric, confidence)}" for name in reached or levels
        )
        if reached:
            text = f"prompting alone reaches the target of {target:g}: {shown}"
            return RuleResult("target", RuleState.ENOUGH, text, {"value": target, "reached": reached})
        text = f"prompting alone is not shown to reach the target of {target:g}: {shown}"
        return RuleResult("target", RuleState.MET, text, {"value": target, "reached": []})

    def judge_guards(self, guards: Sequence[Guard]) -> list[RuleResult]:
        """Return whether each fall is excluded (non-inferiority), with the error shared by all guards (Holm 1979)."""
        tests = [self.test_guard(guard, self.gate.confidence) for guard in guards]
        judged = [i for i, test in enumerate(tests) if test.has_enough_groups]
        confidence = choose_holm_confidence([tests[i].p for i in judged], self.gate.confidence)
        if confidence != self.gate.confidence:
            tests = [self.test_guard(guard, confidence) for guard in guards]
        return [self._judge_guard(guard, test, confidence) for guard, test in zip(guards, tests, strict=True)]

    def test_guard(self, guard: Guard, confidence: float) -> TestedDifference:
        """Test tuned against a guard's contender on its rows and metric, against a fall of `within`.

        Raises InputError if the slice has no rows, or all are of one group.
        """
        metric = self.table.metrics[guard.metric] if guard.metric else self.metric
        one, other = (self.table.get_values(name, metric.name) for name in (TUNED, self._choose_rival(guard)))
        rows = self._list_guarded_rows(guard, one)
        clusters = self.table.get_clusters(TUNED)
        differences = paired_tests.subtract_scores(one, other, 1 if metric.higher_is_better else -1)
        span = paired_tests.compute_span(list(one.values()), list(other.values()))
        groups = [clusters[row] for row in rows]
        (result,) = paired_tests.run_paired_tests(
            [[differences[row] for row in rows]], groups, confidence, -guard.within, binary=metric.binary, span=span,
            draws=(self.gate.resamples, self.gate.seed),
            seeds=measure_seeds(self.table.get_seed_values(TUNED, metric.name, rows), groups),
        )
        return result

    def _judge_guard(self, guard: Guard, test: TestedDifference, confidence: float) -> RuleResult:
        interval, state = test.interval, RuleState.OPEN
        if test.has_enough_groups and interval.low > -guard.within:
            state = RuleState.MET
        elif test.has_enough_groups and interval.high < -guard.within:
            state = RuleState.FAILED
        words = {
            RuleState.MET: f"did not fall by {guard.within:g}", RuleState.FAILED: f"fell by more than {guard.within:g}",
            RuleState.OPEN: f"may have fallen by {guard.within:g}",
        }
        metric, rival = guard.metric or self.metric.name, self._choose_rival(guard)
        where = f" on {guard.slice}" if guard.slice else ""
        size = f"n = {interval.n}" + (f" in {test.groups} groups" if test.groups != interval.n else "")
        least = f", fewer than {paired_tests.MIN_EFFECTIVE_GROUPS:g} groups of equal size"
        few = "" if test.has_enough_groups else least
        evidence = f"{100 * confidence:.4g} % interval {interval.low:.3f} to {interval.high:.3f}, {size}{few}"
        text = f"{metric}{where} {words[state]} against {rival} (difference {interval.mean:.3f}, {evidence})"
        return RuleResult("guard", state, text, {
            "metric": metric, "slice": guard.slice, "against": rival, "within": guard.within,
            "difference": interval.mean, **_list_level_facts(interval), "p": test.p, "n": interval.n,
            "effective_groups": round(test.effective_groups, 1),
        })

    def _choose_rival(self, guard: Guard) -> str:
        return guard.against or (UNTUNED if UNTUNED in self.table.rows else self.best_baseline)

    def _list_guarded_rows(self, guard: Guard, values: Mapping[str, float]) -> list[str]:
        """Return the rows of a guard's slice, or all. Raises InputError, with the known values, if there are none."""
        if not guard.slice:
            return list(values)
        rows = [row for row in values if is_in_slice(guard.slice, self.table.slices.get(row, {}))]
        if not rows:
            raise InputError(describe_unknown_slice(guard.slice, self.table.slices.values()))
        return rows

    def _estimate_level(self, contender: str, confidence: float) -> ConfidenceInterval:
        values, clusters = self.table.get_values(contender, self.metric.name), self.table.get_clusters(contender)
        return estimate_level(
            list(values.values()), [clusters[row] for row in values], confidence, binary=self.metric.binary,
            draws=(self.gate.resamples, self.gate.seed),
            resampled=self.table.get_resampled(contender, self.metric.name),
            by_seed=self.table.get_seed_values(contender, self.metric.name, values),
        )


def choose_holm_confidence(p_values: Sequence[float], confidence: float) -> float:
    """Return the confidence at which intervals exclude a value where Holm's procedure rejects it, and only there.

    Holm rejects the smallest p values one by one, the k-th of m at (1 − confidence) / (m − k + 1), until one is not:
    at the level of that step, all earlier ones are rejected too, and no later one is.
    """
    error, left = 1 - confidence, len(p_values)
    for p in sorted(p_values):
        if p >= error / left:
            return 1 - error / left
        left -= 1
    return confidence


def is_in_slice(protected: str, slices: Mapping[str, str]) -> bool:
    """Return whether a row with these slices is in NAME=VALUE."""
    name, _, value = protected.partition("=")
    return str(slices.get(name)) == value if name in slices else False


def find_slice_problem(protected: str, slices: Sequence[Mapping[str, str]], clusters: Sequence[str]) -> str:
    """Return why a guard of this slice proves nothing, whatever the answers; empty if it may.

    `slices` and `clusters` are those of the test rows.
    """
    sizes = Counter(cluster for row, cluster in zip(slices, clusters, strict=True) if is_in_slice(protected, row))
    if not sizes:
        return describe_unknown_slice(protected, slices)
    effective = sum(sizes.values()) ** 2 / sum(size**2 for size in sizes.values())
    if effective >= paired_tests.MIN_EFFECTIVE_GROUPS:
        return ""
    return (
        f"gate.guards: the test rows of the slice {protected!r} are as good as {effective:.1f} groups of equal size; "
        f"fewer than {paired_tests.MIN_EFFECTIVE_GROUPS:g} prove nothing; raise data.split.test, or remove it"
    )


def describe_unknown_slice(protected: str, slices: Collection[Mapping[str, str]]) -> str:
    """Return what is wrong with a slice that no test row is of, and which ones there are."""
    known = sorted({f"{name}={value}" for row in slices for name, value in row.items()})
    shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return f"gate.guards: no test row is of the slice {protected!r}; known: {shown or 'none, the task has no slices'}"


def _compare_level(level: ConfidenceInterval, value: float, metric: Metric) -> RuleState:
    sign = 1 if metric.higher_is_better else -1
    near, far = sorted((sign * level.low, sign * level.high))
    return RuleState.MET if near >= sign * value else RuleState.FAILED if far < sign * value else RuleState.OPEN


def _describe_level(level: ConfidenceInterval, metric: Metric, confidence: float) -> str:
    bounds = f"{100 * confidence:.4g} % interval {level.low:.3f} to {level.high:.3f}"
    return f"{metric.name} {level.mean:.3f} ({bounds}, n = {level.n})"


def _list_level_facts(level: ConfidenceInterval) -> dict[str, float]:
    return {"low": level.low, "high": level.high}
