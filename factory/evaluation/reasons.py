"""The reasons of a verdict, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factory.evaluation.statistics import DIGITS, POWER, ClusteredEstimate, ConfidenceInterval
from factory.events import Verdict


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """The tuned model against one baseline. A positive difference favours tuned, also if a lower metric is better."""

    baseline: str
    estimate: ClusteredEstimate
    p: float
    won: int
    lost: int
    tied: int

    @property
    def difference_interval(self) -> ConfidenceInterval:
        return self.estimate.interval

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as in gate.json."""
        interval = self.difference_interval
        return {
            "baseline": self.baseline, "difference": interval.mean, "low": interval.low, "high": interval.high,
            "p": round(self.p, DIGITS), "n": interval.n, "won": self.won, "lost": self.lost, "tied": self.tied,
        }


@dataclass(frozen=True, slots=True)
class SuiteRegression:
    """A suite of general tasks on which tuned fell below the base by more than the tolerance."""

    suite: str
    base: float
    tuned: float
    tolerance: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class VerdictBasis:
    """The basis of a verdict. `blocking` are the comparisons that decided it."""

    verdict: Verdict
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


def explain_verdict(basis: VerdictBasis) -> list[str]:
    """Return a sentence per fact, the deciding ones first."""
    lines = []
    if basis.leakage_count:
        leaks = "1 training row is" if basis.leakage_count == 1 else f"{basis.leakage_count} training rows are"
        lines.append(f"{leaks} too similar to test rows, so none of these scores can be trusted")
    lines += basis.review_refusals
    lines += [
        f"tuned forgot: {suite.suite} fell from {suite.base:.3f} to {suite.tuned:.3f} (difference {suite.low:.3f} to "
        f"{suite.high:.3f}), more than the tolerance of {suite.tolerance:g}" for suite in basis.regressions
    ]
    others = [c for c in basis.comparisons if c not in basis.blocking]
    lines += [_describe_comparison(c, basis) for c in (*basis.blocking, *others)]
    if basis.verdict is Verdict.PROMPTING_IS_ENOUGH:
        lines.append(f"prompting is enough: the fine-tune does not beat {_join_baseline_names(basis.blocking)}")
    if basis.rows_needed is not None:
        lines.append(_describe_rows_needed(basis, basis.rows_needed))
    effect = f"a true difference of {basis.detectable_effect:.3f} {basis.metric} to every baseline"
    lines.append(f"{effect} would ship in {100 * POWER:.0f} % of such builds")
    return lines


def _describe_comparison(comparison: BaselineComparison, basis: VerdictBasis) -> str:
    interval = comparison.difference_interval
    evidence = f"({100 * basis.confidence:g} % interval {interval.low:.3f} to {interval.high:.3f}, n = {interval.n})"
    is_short = basis.margin and interval.low <= basis.margin
    short = f"; the interval must lie above the margin of {basis.margin:g}" if is_short else ""
    return f"tuned {_describe_difference(interval, comparison.baseline, basis.metric)} {evidence}{short}"


def _describe_difference(interval: ConfidenceInterval, baseline: str, metric: str) -> str:
    """Return a verb that claims no more than the interval shows."""
    size = f"by {abs(interval.mean):.3f} {metric}"
    if interval.low > 0:
        return f"beats {baseline} {size}"
    if interval.high < 0:
        return f"loses to {baseline} {size}"
    if not interval.mean:
        return f"equals {baseline} in {metric}"
    return f"is {'ahead of' if interval.mean > 0 else 'behind'} {baseline} {size}, which may be chance"


def _describe_rows_needed(basis: VerdictBasis, rows: int) -> str:
    behind = [c for c in basis.blocking if c.difference_interval.mean <= basis.margin]
    if behind:
        return (
            f"the measured difference to {_join_baseline_names(behind)} is not above the margin of {basis.margin:g}: "
            f"about {rows} test rows would settle it, most likely as {Verdict.NO_SHIP}"
        )
    names = _join_baseline_names(basis.blocking)
    return f"if the true difference is as measured, about {rows} test rows would settle the comparison with {names}"


def _join_baseline_names(comparisons: Sequence[BaselineComparison]) -> str:
    names = [c.baseline for c in comparisons]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
