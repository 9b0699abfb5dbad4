"""The verdict: whether the tuned model may ship, from the scores of all contenders on the same rows.

To ship, the tuned model must beat every baseline: the lower bound of each paired difference must exceed the margin.
As all must hold at once, the number of comparisons needs no correction (intersection-union test, Berger 1982).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from factory.api.rows import Metric
from factory.evaluation import paired_tests, statistics
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
from factory.events import Verdict

if TYPE_CHECKING:
    from factory.spec.fields import Gate

TUNED, CEILING = "tuned", "ceiling"
MAX_SETTLING_RATIO = 4.0
"""A difference of less than a quarter of what the rows can detect needs more than 16 times as many: not worth it."""

ScoredRows = Sequence[Mapping[str, Any]]
"""One contender's rows as in `score/<contender>.jsonl`: {"id", "group", "values": {metric: value}}."""


@dataclass(frozen=True, slots=True)
class _PairedScores:
    """The tuned model's values by row, the clusters of the rows, and the settings of all comparisons."""

    values: Mapping[str, float]
    clusters: Mapping[str, str]
    metric: Metric
    gate: Gate

    def compare_with_baselines(self, baselines: Mapping[str, Mapping[str, float]]) -> list[BaselineComparison]:
        """Compare the tuned model with each baseline, all on the same resamples."""
        sign = 1 if self.metric.higher_is_better else -1
        differences = [paired_tests.subtract_scores(self.values, scores, sign) for scores in baselines.values()]
        span = paired_tests.compute_span(list(self.values.values()), *(list(b.values()) for b in baselines.values()))
        results = paired_tests.run_paired_tests(
            [list(values.values()) for values in differences], self._list_clusters(), self.gate.confidence,
            self.gate.margin, binary=self.metric.binary, span=span,
            draws=(self.gate.resamples, self.gate.seed),
        )
        return [
            BaselineComparison(name, result, find_rare_losses(values, result.test, self.gate.margin, span))
            for name, result, values in zip(baselines, results, differences, strict=True)
        ]

    def estimate_tuned_mean(self) -> statistics.ConfidenceInterval:
        """Return the tuned model's own mean with its interval."""
        return statistics.compute_mean_interval(
            list(self.values.values()), self._list_clusters(), self.gate.confidence,
            binary=self.metric.binary, resamples=self.gate.resamples, seed=self.gate.seed,
        )

    def _list_clusters(self) -> list[str]:
        return [self.clusters[row] for row in self.values]


def decide_verdict(
    scores: Mapping[str, ScoredRows], metric: Metric, gate: Gate, *, prompted: Collection[str] = (), leaked: int = 0,
    probes: Sequence[Mapping[str, Any]] = (), refused: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the content of gate.json. `scores` holds `tuned` and the baselines; `prompted` names the baselines that
    only prompt a model; `leaked` counts training rows too similar to test rows; `probes` are the forgetting.json of
    each probe; `refused` lists why the experts' review of training rows blocks shipping. A positive difference always
    favours the tuned model.

    Raises ValueError without tuned or any baseline, or if contenders did not score the same rows.
    """
    table = {name: _extract_metric_column(name, rows, metric.name) for name, rows in scores.items()}
    if TUNED not in table or len(table) < 2:
        raise ValueError(f"a verdict needs scores of {TUNED!r} and of a baseline, not only {', '.join(sorted(table))}")
    clusters = {row["id"]: row.get("group") or row["id"] for row in scores[TUNED]}
    paired = _PairedScores(table[TUNED], clusters, metric, gate)
    comparisons = paired.compare_with_baselines({name: table[name] for name in sorted(table) if name != TUNED})
    suites = [SuiteChange.from_json(suite, probe["tolerance"]) for probe in probes for suite in probe["suites"]]
    is_blocked = bool(leaked or refused or any(suite.has_fallen for suite in suites))
    verdict, blocking = choose_verdict(comparisons, gate.margin, prompted, is_blocked)
    if verdict is Verdict.SHIP and not all(suite.holds for suite in suites):
        verdict = Verdict.INSUFFICIENT_EVIDENCE
    effect = gate.margin + _compute_detectable_effect(comparisons, gate.confidence)
    settle = estimate_settling_size(blocking, gate) if verdict is Verdict.INSUFFICIENT_EVIDENCE else None
    basis = VerdictBasis(
        verdict, comparisons, blocking, metric.name, gate.margin, gate.confidence, leaked, effect, settle, suites,
        refused,
    )
    unproven, warnings = list_unproven(basis), list_warnings(basis)
    ceilings = [float(row["values"][CEILING]) for row in scores[TUNED] if CEILING in row["values"]]
    return {
        "verdict": str(verdict), "metric": metric.name, "margin": gate.margin, "confidence": gate.confidence,
        "tuned": asdict(paired.estimate_tuned_mean()),
        "comparisons": [comparison.to_json() for comparison in comparisons],
        "best_baseline": min(comparisons, key=lambda c: (c.interval.mean, c.baseline)).baseline,
        "reasons": explain_verdict(basis), "minimum_detectable_effect": round(effect, statistics.DIGITS),
        "n_to_settle": settle.count if settle else None, "settle": asdict(settle) if settle else None,
        "probes": [dict(probe) for probe in probes],
        CEILING: round(sum(ceilings) / len(ceilings), statistics.DIGITS) if ceilings else None,
        **({"refused": list(refused)} if refused else {}), **({"unproven": unproven} if unproven else {}),
        **({"warnings": warnings} if warnings else {}),
    }


def choose_verdict(
    comparisons: Sequence[BaselineComparison], margin: float, prompted: Collection[str] = (), is_blocked: bool = False
) -> tuple[Verdict, list[BaselineComparison]]:
    """Return the verdict, and the comparisons that prevent a better one."""
    failed = [c for c in comparisons if c.interval.high < margin]
    unclear = [c for c in comparisons if c.interval.low <= margin <= c.interval.high]
    if is_blocked:
        return Verdict.NO_SHIP, failed
    if not all(c.result.has_enough_groups for c in comparisons):
        return Verdict.INSUFFICIENT_EVIDENCE, list(comparisons)
    if failed:
        only_prompted = all(c.baseline in prompted for c in failed)
        return (Verdict.PROMPTING_IS_ENOUGH if only_prompted else Verdict.NO_SHIP), failed
    return (Verdict.INSUFFICIENT_EVIDENCE, unclear) if unclear else (Verdict.SHIP, [])


def _compute_detectable_effect(comparisons: Sequence[BaselineComparison], confidence: float) -> float:
    """Return the true difference beyond the margin, to every baseline, with which 80 % of such builds would ship."""
    power = statistics.compute_joint_power(len(comparisons))
    return max(c.result.test.compute_detectable_effect(confidence, power) for c in comparisons)


def estimate_settling_size(blocking: Sequence[BaselineComparison], gate: Gate) -> SettlingSize | None:
    """Return how many test rows or groups would settle all comparisons if the true differences are those measured."""
    if not blocking:
        return None
    first = blocking[0].result
    unit = "rows" if first.groups == first.interval.n else "groups"
    if not first.has_enough_groups:
        needed = first.groups * paired_tests.MIN_EFFECTIVE_GROUPS / first.effective_groups
        return SettlingSize(math.ceil(needed), unit, False)

    def compute_ratio(comparison: BaselineComparison) -> float:
        distance = abs(comparison.interval.mean - gate.margin)
        return _compute_detectable_effect([comparison], gate.confidence) / distance if distance else math.inf

    ratio = max(1.0, *map(compute_ratio, blocking))
    count = math.ceil(first.groups * min(ratio, MAX_SETTLING_RATIO) ** 2)
    return SettlingSize(count, unit, ratio > MAX_SETTLING_RATIO)


def _extract_metric_column(contender: str, rows: ScoredRows, metric: str) -> dict[str, float]:
    """Return row id → value, ordered by id."""
    values: dict[str, float] = {}
    for row in sorted(rows, key=lambda row: str(row["id"])):
        if metric not in row["values"]:
            known = ", ".join(sorted(row["values"]))
            raise ValueError(f"{contender}: row {row['id']!r} has no {metric!r}; it has {known}")
        values[row["id"]] = float(row["values"][metric])
    return values
