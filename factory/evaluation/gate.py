"""The verdict: whether the tuned model may ship, from the scores of all contenders on the same rows.

To ship, the tuned model must beat every baseline: the lower bound of each paired difference must exceed the margin.
As all must hold at once, the number of comparisons needs no correction (intersection-union test, Berger 1982).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from factory.api.rows import Metric
from factory.evaluation import paired_tests, statistics
from factory.evaluation.incumbent_facts import IncumbentFacts, describe_absence
from factory.evaluation.match import AnswerExpense, judge_match
from factory.evaluation.rare_losses import find_rare_losses
from factory.evaluation.reasons import (
    BaselineComparison,
    SettlingSize,
    SuiteChange,
    VerdictBasis,
    explain_verdict,
    list_unproven,
    list_warnings,
)
from factory.evaluation.rules import RuleJudge, RuleResult
from factory.evaluation.score_table import ScoredRows, ScoreTable, estimate_level
from factory.evaluation.seed_tests import compute_seeds_reach, estimate_settling_seeds
from factory.evaluation.table_tests import TUNED, run_gain_tests
from factory.events import RuleState, Verdict

if TYPE_CHECKING:
    from factory.spec.fields import Gate

CEILING = "ceiling"
MAX_SETTLING_RATIO = 4.0
"""A difference of less than a quarter of what the rows can detect needs more than 16 times as many: not worth it."""


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """What the gate knows beside the scores.

    `prompted` names the baselines that only prompt a model; `leaked` counts training rows too similar to test rows;
    `probes` are the forgetting.json of each probe; `refused` lists why the experts' review of training rows blocks
    shipping. `shown` names the contenders that are not compared, though a guard may be against one; `expenses` are
    those of tuned and of the contender that it shall match. `incumbents` are the baselines that are versions, and
    `absent` names the contenders that would be, if there were one.
    """

    prompted: Collection[str] = ()
    leaked: int = 0
    probes: Sequence[Mapping[str, Any]] = ()
    refused: Sequence[str] = ()
    shown: Collection[str] = ()
    expenses: Mapping[str, AnswerExpense] = field(default_factory=dict)
    incumbents: Sequence[IncumbentFacts] = ()
    absent: Sequence[str] = ()


NOTHING_ELSE = GateEvidence()


def decide_verdict(
    scores: Mapping[str, ScoredRows] | ScoreTable, metric: Metric, gate: Gate, evidence: GateEvidence = NOTHING_ELSE
) -> dict[str, Any]:
    """Return the content of gate.json. `scores` holds `tuned` and the baselines. A positive difference always favours
    the tuned model.

    Raises ValueError without tuned or any baseline, or if contenders did not score the same rows.
    """
    table = scores if isinstance(scores, ScoreTable) else ScoreTable(scores, metrics={metric.name: metric})
    apart = {TUNED, *evidence.shown, *([gate.match.contender] if gate.match else [])}
    names = sorted(name for name in table.rows if name not in apart)
    if TUNED not in table.rows or not names:
        known = ", ".join(sorted(table.rows))
        raise ValueError(f"a verdict needs scores of {TUNED!r} and of a baseline, not only {known}")
    comparisons = compare_baselines(table, metric, gate, names, evidence.incumbents)
    best = min(comparisons, key=lambda c: (c.interval.mean, c.baseline)).baseline
    prompted = [name for name in names if name in evidence.prompted]
    matched = [judge_match(gate.match, gate, metric, table, evidence.expenses)] if gate.match else []
    rules = [*RuleJudge(gate, metric, table, prompted, best).judge_rules(), *matched]
    basis = _weigh_evidence(comparisons, rules, metric, gate, evidence)
    unproven, warnings, settle = list_unproven(basis), list_warnings(basis), basis.settling
    ceilings = [float(row["values"][CEILING]) for row in table.rows[TUNED] if CEILING in row["values"]]
    return {
        "verdict": str(basis.verdict), "metric": metric.name, "margin": gate.margin, "confidence": gate.confidence,
        "tuned": asdict(_estimate_tuned_mean(table, metric, gate)),
        "comparisons": [comparison.to_json() for comparison in comparisons], "best_baseline": best,
        "reasons": explain_verdict(basis),
        "minimum_detectable_effect": round(basis.detectable_effect, statistics.DIGITS),
        "n_to_settle": settle.count if settle else None, "settle": asdict(settle) if settle else None,
        "probes": [dict(probe) for probe in evidence.probes],
        CEILING: round(sum(ceilings) / len(ceilings), statistics.DIGITS) if ceilings else None,
        **({"refused": list(evidence.refused)} if evidence.refused else {}),
        **({"unproven": unproven} if unproven else {}), **({"warnings": warnings} if warnings else {}),
        **({"rules": [rule.to_json() for rule in rules]} if rules else {}),
        **_list_incumbents(basis),
    }


def compare_baselines(
    table: ScoreTable, metric: Metric, gate: Gate, names: Sequence[str], incumbents: Sequence[IncumbentFacts] = ()
) -> list[BaselineComparison]:
    """Compare tuned with every baseline: on all rows, and with a version that has seen some of them on the others."""
    versions = {facts.contender: facts for facts in incumbents}
    parts = {name: facts.judged for name, facts in versions.items() if name in names and facts.judged is not None}
    gains = run_gain_tests(table, metric, gate, [name for name in names if name not in parts], gate.margin)
    for name, rows in parts.items():
        gains += run_gain_tests(table.select_rows(frozenset(rows)), metric, gate, [name], gate.margin)
    return [
        BaselineComparison(
            gain.contender, gain.result, find_rare_losses(gain.differences, gain.result.test, gate.margin, gain.span),
            versions.get(gain.contender),
        ) for gain in sorted(gains, key=lambda gain: gain.contender)
    ]


def _list_incumbents(basis: VerdictBasis) -> dict[str, Any]:
    """Return what gate.json says of versions in the ring; {} without any."""
    listed = [
        c.incumbent.to_json(c.interval.low, c.interval.high, basis.margin) for c in basis.comparisons if c.incumbent
    ]
    listed += [{"contender": name, "version": None, "finding": describe_absence(name)} for name in basis.absent]
    return {"incumbents": listed} if listed else {}


def _estimate_tuned_mean(table: ScoreTable, metric: Metric, gate: Gate) -> statistics.ConfidenceInterval:
    """Return the tuned model's own mean with its interval; where its level decides, with that which decides."""
    values, clusters = table.get_values(TUNED, metric.name), table.get_clusters(TUNED)
    numbers, groups = list(values.values()), [clusters[row] for row in values]
    by_seed = table.get_seed_values(TUNED, metric.name, values)
    if gate.floor is None and not table.total and not by_seed:
        return statistics.compute_mean_interval(
            numbers, groups, gate.confidence, binary=metric.binary, resamples=gate.resamples, seed=gate.seed
        )
    return estimate_level(
        numbers, groups, gate.confidence, binary=metric.binary, draws=(gate.resamples, gate.seed),
        resampled=table.get_resampled(TUNED, metric.name), by_seed=by_seed,
    )


def _weigh_evidence(
    comparisons: Sequence[BaselineComparison], rules: Sequence[RuleResult], metric: Metric, gate: Gate,
    evidence: GateEvidence,
) -> VerdictBasis:
    """Choose the verdict, and return it with all that it rests on."""
    suites = [SuiteChange.from_json(suite, each["tolerance"]) for each in evidence.probes for suite in each["suites"]]
    is_blocked = bool(evidence.leaked or evidence.refused or any(suite.has_fallen for suite in suites))
    verdict, blocking = choose_verdict(comparisons, gate.margin, evidence.prompted, is_blocked, rules)
    if verdict is Verdict.SHIP and not all(suite.holds for suite in suites):
        verdict = Verdict.INSUFFICIENT_EVIDENCE
    effect = gate.margin + _compute_detectable_effect(comparisons, gate.confidence)
    # No number of rows settles what a version may know by heart.
    is_open = verdict is Verdict.INSUFFICIENT_EVIDENCE
    is_known = any(c.is_favoured and c.interval.high < gate.margin for c in blocking)
    settle = estimate_settling_size(blocking, gate) if is_open and not is_known else None
    return VerdictBasis(
        verdict, comparisons, blocking, metric.name, gate.margin, gate.confidence, evidence.leaked, effect, settle,
        suites, evidence.refused, rules, evidence.absent,
    )


def choose_verdict(
    comparisons: Sequence[BaselineComparison], margin: float, prompted: Collection[str] = (), is_blocked: bool = False,
    rules: Sequence[RuleResult] = (),
) -> tuple[Verdict, list[BaselineComparison]]:
    """Return the verdict, and the comparisons that prevent a better one.

    A failed rule outweighs a prompted baseline that is as good: it is below the same floor, or no better for a guard.
    """
    failed = [c for c in comparisons if c.interval.high < margin and not c.is_favoured]
    unclear = [c for c in comparisons if c.interval.low <= margin and c not in failed]
    states = {rule.state for rule in rules}
    if is_blocked:
        return Verdict.NO_SHIP, failed
    if not all(c.result.has_enough_groups for c in comparisons):
        return Verdict.INSUFFICIENT_EVIDENCE, list(comparisons)
    if RuleState.ENOUGH in states:
        return Verdict.PROMPTING_IS_ENOUGH, failed
    if failed or RuleState.FAILED in states:
        only_prompted = RuleState.FAILED not in states and all(c.baseline in prompted for c in failed)
        return (Verdict.PROMPTING_IS_ENOUGH if only_prompted else Verdict.NO_SHIP), failed
    return (Verdict.INSUFFICIENT_EVIDENCE, unclear) if unclear or RuleState.OPEN in states else (Verdict.SHIP, [])


def _compute_detectable_effect(comparisons: Sequence[BaselineComparison], confidence: float) -> float:
    """Return the true difference beyond the margin, to every baseline, with which 80 % of such builds would ship."""
    power = statistics.compute_joint_power(len(comparisons))
    return max(c.result.test.compute_detectable_effect(confidence, power) for c in comparisons)


def estimate_settling_size(blocking: Sequence[BaselineComparison], gate: Gate) -> SettlingSize | None:
    """Return how many test rows or groups would settle all comparisons if the true differences are those measured; of
    seeds, where the rows alone settle them.
    """
    if not blocking:
        return None
    first = blocking[0].result
    unit = "rows" if first.groups == first.interval.n else "groups"
    if not first.has_enough_groups:
        needed = first.groups * paired_tests.MIN_EFFECTIVE_GROUPS / first.effective_groups
        return SettlingSize(math.ceil(needed), unit, False)
    power = statistics.compute_joint_power(1)
    seeds = [estimate_settling_seeds(c.result.test, gate.margin, gate.confidence, power) for c in blocking]
    found = [count for count in seeds if count is not None]
    if len(found) == len(blocking):
        return SettlingSize(max(found), "seeds", False)

    def compute_ratio(comparison: BaselineComparison) -> float:
        effect = _compute_detectable_effect([comparison], gate.confidence)
        # What seeds add stays, however many rows there are.
        fixed = compute_seeds_reach(comparison.result.test, gate.confidence, power)
        distance = abs(comparison.interval.mean - gate.margin) - fixed
        return (effect - fixed) / distance if distance > 0 else math.inf

    ratio = max(1.0, *map(compute_ratio, blocking))
    count = math.ceil(first.groups * min(ratio, MAX_SETTLING_RATIO) ** 2)
    return SettlingSize(count, unit, ratio > MAX_SETTLING_RATIO)
