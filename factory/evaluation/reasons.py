"""The reasons of a verdict, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.evaluation.incumbent_facts import IncumbentFacts, describe_absence
from factory.evaluation.paired_tests import MIN_EFFECTIVE_GROUPS, TestedDifference
from factory.evaluation.rare_losses import RareLosses
from factory.evaluation.rules import RuleResult
from factory.evaluation.statistics import POWER, ConfidenceInterval
from factory.events import RuleState, Verdict

MAX_ID_LENGTH = 60
"""Length limit of a row's id in a sentence."""


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """The tuned model against one baseline. A positive difference favours tuned, also if a lower metric is better."""

    baseline: str
    result: TestedDifference
    rare_losses: RareLosses | None = None
    incumbent: IncumbentFacts | None = None
    """The version, if the baseline is one."""

    @property
    def is_favoured(self) -> bool:
        """Whether the baseline may have seen rows that it is judged on, so that tuned is not shown to be worse."""
        return self.incumbent is not None and self.incumbent.is_favoured

    @property
    def interval(self) -> ConfidenceInterval:
        return self.result.interval

    @property
    def differs(self) -> bool:
        """Whether any row does."""
        return bool(self.result.won or self.result.lost)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as in gate.json."""
        result, interval = self.result, self.interval
        return {
            "baseline": self.baseline, "difference": interval.mean, "low": interval.low, "high": interval.high,
            "p": result.p, "n": interval.n, "groups": result.groups,
            "effective_groups": round(result.effective_groups, 1),
            "won": result.won, "lost": result.lost, "tied": result.tied,
        }


@dataclass(frozen=True, slots=True)
class SuiteChange:
    """How a suite of general tasks changed from base to tuned, and the smallest fall that it could have shown."""

    suite: str
    n: int
    base: float
    tuned: float
    difference: float
    low: float
    high: float
    smallest_fall: float
    tolerance: float

    @classmethod
    def from_json(cls, suite: Mapping[str, Any], tolerance: float) -> SuiteChange:
        """Return a suite of forgetting.json; earlier versions did not compute the smallest fall, which is 0 then."""
        known = {"smallest_fall": 0.0, **suite}
        return cls(**{name: known[name] for name in cls.__slots__ if name != "tolerance"}, tolerance=tolerance)

    @property
    def has_fallen(self) -> bool:
        """Whether it fell by more than the tolerance, and by more than chance explains."""
        return self.difference < -self.tolerance and self.high < 0

    @property
    def holds(self) -> bool:
        """Whether a fall by the tolerance is excluded (non-inferiority)."""
        return self.low > -self.tolerance


@dataclass(frozen=True, slots=True)
class SettlingSize:
    """How many test rows, or groups of them, would settle a verdict; capped, where more than that are needed."""

    count: int
    unit: str
    """`rows`, `groups` where rows share them, or `seeds` of training where more of these would settle it."""
    is_capped: bool


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
    settling: SettlingSize | None
    suites: Sequence[SuiteChange] = ()
    review_refusals: Sequence[str] = ()
    rules: Sequence[RuleResult] = ()
    absent: Sequence[str] = ()
    """Contenders that are versions, of which there was none yet."""


def explain_verdict(basis: VerdictBasis) -> list[str]:
    """Return a sentence per fact, the deciding ones first."""
    lines = []
    if basis.leakage_count:
        leaks = "1 training row is" if basis.leakage_count == 1 else f"{basis.leakage_count} training rows are"
        lines.append(f"{leaks} too similar to test rows, so none of these scores can be trusted")
    lines += basis.review_refusals
    lines += [
        f"tuned forgot: {suite.suite} fell from {suite.base:.3f} to {suite.tuned:.3f} (difference {suite.low:.3f} to "
        f"{suite.high:.3f}), more than the tolerance of {suite.tolerance:g}" for suite in basis.suites
        if suite.has_fallen
    ]
    lines += [rule.text for rule in basis.rules if rule.state in (RuleState.FAILED, RuleState.ENOUGH)]
    lines += list_unproven(basis)
    others = [c for c in basis.comparisons if c not in basis.blocking]
    lines += [_describe_comparison(c, basis) for c in (*basis.blocking, *others)]
    lines += [c.incumbent.describe_seen() for c in basis.comparisons if c.incumbent]
    lines += map(describe_absence, basis.absent)
    lines += [rule.text for rule in basis.rules if rule.text not in lines]
    if basis.verdict is Verdict.PROMPTING_IS_ENOUGH and basis.blocking:
        lines.append(f"prompting is enough: the fine-tune does not beat {_join_baseline_names(basis.blocking)}")
    if basis.settling is not None:
        lines.append(_describe_settling(basis, basis.settling))
    lines += list_warnings(basis)
    limit = basis.margin + min(comparison.result.test.limit for comparison in basis.comparisons)
    can_tell = all(comparison.differs and comparison.result.has_enough_groups for comparison in basis.comparisons)
    if can_tell and basis.detectable_effect < limit:
        effect = f"a true difference of {basis.detectable_effect:.3f} {basis.metric} to every baseline"
        lines.append(f"{effect} would ship in {100 * POWER:.0f} % of such builds")
    lines += [
        f"{suite.suite}: falls of {suite.smallest_fall:.3f} and more would be seen on its {suite.n} items in "
        f"{100 * POWER:.0f} % of such builds" for suite in basis.suites
    ]
    return lines


def list_warnings(basis: VerdictBasis) -> list[str]:
    """Return why intervals are doubtful, which a verdict must not hide."""
    return [_describe_rare_losses(c, c.rare_losses) for c in basis.comparisons if c.rare_losses]


def list_unproven(basis: VerdictBasis) -> list[str]:
    """Return why the evidence is too thin, whatever the comparisons say: too few groups, or suites too small."""
    if basis.verdict is not Verdict.INSUFFICIENT_EVIDENCE:
        return []
    lines = []
    result = basis.comparisons[0].result
    if not result.has_enough_groups:
        is_grouped = result.groups != result.interval.n
        size = f" (as good as {result.effective_groups:.1f} of equal size)" if is_grouped else ""
        lines.append(
            f"the {result.interval.n} test rows are of {result.groups} groups{size}: with fewer than "
            f"{MIN_EFFECTIVE_GROUPS:g} groups a difference can not be told from chance"
        )
    lines += [rule.text for rule in basis.rules if rule.state is RuleState.OPEN]
    return lines + [
        f"a fall of {suite.tolerance:g} on {suite.suite} is not excluded (difference {suite.low:.3f} to "
        f"{suite.high:.3f}): its {suite.n} items show only falls of {suite.smallest_fall:.3f} and more"
        for suite in basis.suites if not suite.holds
    ]


def _describe_comparison(comparison: BaselineComparison, basis: VerdictBasis) -> str:
    interval, result = comparison.interval, comparison.result
    groups = f" in {result.groups} groups" if result.groups != interval.n else ""
    bounds = f"{interval.low:.3f} to {interval.high:.3f}, n = {interval.n}{groups}"
    evidence = f"({100 * basis.confidence:g} % interval {bounds})"
    is_short = basis.margin and interval.low <= basis.margin
    short = f"; the interval must lie above the margin of {basis.margin:g}" if is_short else ""
    described = f"tuned {_describe_difference(comparison, basis.metric)} {evidence}{short}"
    if comparison.incumbent is None:
        return described
    return f"{comparison.incumbent.describe_state(interval.low, interval.high, basis.margin)}; {described}"


def _describe_difference(comparison: BaselineComparison, metric: str) -> str:
    """Return a verb that claims no more than the interval shows."""
    interval, baseline = comparison.interval, comparison.baseline
    size = f"by {abs(interval.mean):.3f} {metric}"
    if not comparison.differs:
        return f"scores as {baseline} does on every row"
    if comparison.result.has_enough_groups:
        if interval.low > 0:
            return f"beats {baseline} {size}"
        if interval.high < 0:
            return f"loses to {baseline} {size}"
    if not interval.mean:
        return f"equals {baseline} in {metric}"
    return f"is {'ahead of' if interval.mean > 0 else 'behind'} {baseline} {size}, which may be chance"


def _describe_settling(basis: VerdictBasis, size: SettlingSize) -> str:
    names, needed = _join_baseline_names(basis.blocking), describe_settling_size(size.count, size.unit)
    if not basis.blocking[0].result.has_enough_groups:
        return f"at least {needed} are needed to judge at all"
    if size.is_capped:
        return (
            f"more than {needed} would be needed to settle the comparison with {names} if the true difference is as "
            "measured: it is not worth settling"
        )
    behind = [c for c in basis.blocking if c.interval.mean <= basis.margin]
    if behind:
        return (
            f"the measured difference to {_join_baseline_names(behind)} is not above the margin of {basis.margin:g}: "
            f"about {needed} would settle it, most likely as {Verdict.NO_SHIP}"
        )
    return f"if the true difference is as measured, about {needed} would settle the comparison with {names}"


def describe_settling_size(count: int | str, unit: str) -> str:
    """Return `120 test rows`, `40 groups of test rows` where rows share groups, or `5 seeds (train.seeds)`."""
    words = {"groups": "groups of test rows", "seeds": "seeds (train.seeds)"}
    return f"{count} {words.get(unit, 'test rows')}"


def _describe_rare_losses(comparison: BaselineComparison, losses: RareLosses) -> str:
    worst = ", ".join(f"{name[:MAX_ID_LENGTH]} {value:+.3f}" for name, value in losses.worst)
    if losses.is_seen:
        return (
            f"tuned loses to {comparison.baseline} on few rows, but by much, so that the interval is too narrow: look "
            f"at the worst rows ({worst})"
        )
    shown = f"; the worst of those seen: {worst}" if worst else ""
    return (
        f"the lead over {comparison.baseline} is small on every row, and losses are rare: three large ones among rows "
        f"that were not seen would undo it, of which the interval knows nothing{shown}"
    )


def _join_baseline_names(comparisons: Sequence[BaselineComparison]) -> str:
    names = [c.baseline for c in comparisons]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
