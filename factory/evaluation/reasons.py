"""The verdict in sentences that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factory.evaluation.statistics import DIGITS, POWER, ClusteredEstimate, ConfidenceInterval


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """Tuned against one baseline, row by row. A positive difference favours tuned, whichever way the metric points."""

    baseline: str
    estimate: ClusteredEstimate
    p: float
    won: int
    lost: int
    tied: int

    @property
    def difference_interval(self) -> ConfidenceInterval:
        """The mean difference with its interval."""
        return self.estimate.interval

    def to_json(self) -> dict[str, Any]:
        """As in the comparisons of gate.json."""
        found = self.difference_interval
        return {
            "baseline": self.baseline, "difference": found.mean, "low": found.low, "high": found.high,
            "p": round(self.p, DIGITS), "n": found.n, "won": self.won, "lost": self.lost, "tied": self.tied,
        }


@dataclass(frozen=True, slots=True)
class SuiteRegression:
    """A suite of general capability on which tuned fell below the base by more than was tolerated."""

    suite: str
    base: float
    tuned: float
    tolerance: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class VerdictBasis:
    """All that a verdict rests on. `blocking` are the comparisons that decided; `effect` is what can be detected."""

    verdict: str
    comparisons: Sequence[BaselineComparison]
    blocking: Sequence[BaselineComparison]
    metric: str
    margin: float
    confidence: float
    leakage_count: int
    detectable_effect: float
    rows_needed: int | None
    regressions: Sequence[SuiteRegression] = ()
    review_refusals: Sequence[str] = ()


def explain_verdict(case: VerdictBasis) -> list[str]:
    """One sentence a fact, what decided first."""
    lines = []
    if case.leakage_count:
        lines.append(f"{case.leakage_count} training rows are too close to test rows, so no number here can be trusted")
    lines += [*case.review_refusals, *(_describe_regression(each) for each in case.regressions)]
    others = [c for c in case.comparisons if c not in case.blocking]
    lines += [_describe_comparison(c, case) for c in (*case.blocking, *others)]
    if case.verdict == "PROMPTING_IS_ENOUGH":
        lines.append(
            f"prompting is enough: the fine-tune does not do better than {_join_baseline_names(case.blocking)}"
        )
    if case.rows_needed is not None:
        lines.append(_describe_rows_needed(case, case.rows_needed))
    effect = f"a true difference of {case.detectable_effect:.3f} {case.metric} to every baseline"
    lines.append(f"{effect} would ship in {100 * POWER:.0f} % of such builds")
    return lines


def _describe_regression(f: SuiteRegression) -> str:
    fell = f"{f.base:.3f} to {f.tuned:.3f} (difference {f.low:.3f} to {f.high:.3f})"
    return f"tuned forgot: {f.suite} fell from {fell}, by more than the {f.tolerance:g} that is tolerated"


def _describe_comparison(c: BaselineComparison, case: VerdictBasis) -> str:
    found = c.difference_interval
    evidence = f"({100 * case.confidence:g} % interval {found.low:.3f} to {found.high:.3f}, n = {found.n})"
    short = f", and must by more than {case.margin:g}" if case.margin and found.low <= case.margin else ""
    return f"tuned {_describe_difference(found, c.baseline, case.metric)} {evidence}{short}"


def _describe_difference(found: ConfidenceInterval, baseline: str, metric: str) -> str:
    """A verb that says no more than the interval does."""
    size = f"by {abs(found.mean):.3f} {metric}"
    if found.low > 0:
        return f"beats {baseline} {size}"
    if found.high < 0:
        return f"loses to {baseline} {size}"
    if not found.mean:
        return f"equals {baseline} in {metric}"
    return f"is {'ahead of' if found.mean > 0 else 'behind'} {baseline} {size}, which chance could do"


def _describe_rows_needed(case: VerdictBasis, rows: int) -> str:
    behind = [c for c in case.blocking if c.difference_interval.mean <= case.margin]
    if behind:
        return (
            f"what was seen against {_join_baseline_names(behind)} does not pass the margin of {case.margin:g}: "
            f"about {rows} test rows would settle it, and NO_SHIP is the likelier end"
        )
    return (
        f"if the true difference is what was seen, about {rows} test rows would settle "
        f"{_join_baseline_names(case.blocking)}"
    )


def _join_baseline_names(comparisons: Sequence[BaselineComparison]) -> str:
    names = [c.baseline for c in comparisons]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
