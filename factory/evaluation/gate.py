"""The verdict: from the scores of every contender on the same rows to whether the fine-tune may ship.

To ship, the tuned model must beat every baseline: the lower bound of each paired difference lies above the margin. All
must hold at once, so no correction for their number is needed (an intersection-union test, Berger 1982).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from factory.api.rows import Metric
from factory.evaluation import statistics
from factory.evaluation.reasons import BaselineComparison, SuiteRegression, VerdictBasis, explain_verdict

if TYPE_CHECKING:
    from factory.spec.fields import Gate

SHIP, NO_SHIP = "SHIP", "NO_SHIP"
PROMPTING_IS_ENOUGH, INSUFFICIENT_EVIDENCE = "PROMPTING_IS_ENOUGH", "INSUFFICIENT_EVIDENCE"
TUNED = "tuned"
CEILING = "ceiling"
SETTLE_EFFECT_DIVISOR = 4
"""`n_to_settle` is reckoned for no less than a fourth of what this comparison could detect: less needs endless rows."""

ScoredRows = Sequence[Mapping[str, Any]]
"""One contender's rows as `score/<contender>.jsonl` holds them: {"id", "group", "values": {metric: value}}."""


@dataclass(frozen=True, slots=True)
class _PairedScores:
    """What every comparison shares: the tuned model's values by row, the rows' clusters, and how to compare."""

    values: Mapping[str, float]
    clusters: Mapping[str, str]
    metric: Metric
    gate: Gate

    def compare_with_baselines(self, baselines: Mapping[str, Mapping[str, float]]) -> list[BaselineComparison]:
        """Tuned against each baseline, all on the same resamples."""
        sign = 1 if self.metric.higher_is_better else -1
        differences = {name: statistics.subtract_scores(self.values, other, sign) for name, other in baselines.items()}
        samples = [
            statistics.group_by_cluster(list(each.values()), [self.clusters[i] for i in each])
            for each in differences.values()
        ]
        drawn = statistics.bootstrap_means(samples, self.gate.resamples, self.gate.seed)
        return [
            self._compare_with_baseline(*parts)
            for parts in zip(differences, differences.values(), samples, drawn, strict=True)
        ]

    def _compare_with_baseline(
        self, baseline: str, differences: Mapping[str, float], data: statistics.ClusterSample, means: statistics.Floats
    ) -> BaselineComparison:
        """One comparison. Exact McNemar gives p for binary rows that share no group, else the bootstrap does."""
        won = sum(value > 0 for value in differences.values())
        lost = sum(value < 0 for value in differences.values())
        alone = self.metric.binary and len(data.sums) == len(differences)
        p = statistics.compute_mcnemar_p(won, lost) if alone else statistics.compute_p_value(data, means)
        found = statistics.estimate_mean(data, means, self.gate.confidence)
        return BaselineComparison(baseline, found, p, won, lost, len(differences) - won - lost)

    def estimate_tuned_mean(self) -> statistics.ConfidenceInterval:
        """Tuned's own mean with its interval."""
        return statistics.compute_mean_interval(
            list(self.values.values()), [self.clusters[name] for name in self.values], self.gate.confidence,
            binary=self.metric.binary, resamples=self.gate.resamples, seed=self.gate.seed,
        )


def decide_verdict(
    scores: Mapping[str, ScoredRows], metric: Metric, gate: Gate, *, prompted: Collection[str] = (), leaked: int = 0,
    probes: Sequence[Mapping[str, Any]] = (), refused: Sequence[str] = (),
) -> dict[str, Any]:
    """The content of gate.json. `scores` holds `tuned` and the baselines; `prompted` names those that only prompt a
    model; `leaked` counts training rows too close to test rows; `probes` are the forgetting.json of each probe;
    `refused` says why experts' review of the training rows does not allow to ship. A positive difference always
    favours tuned.

    Raises ValueError when tuned or all baselines are absent, or contenders did not score the same rows.
    """
    table = {name: _extract_metric_column(name, rows, metric.name) for name, rows in scores.items()}
    if TUNED not in table or len(table) < 2:
        raise ValueError(f"a verdict compares {TUNED!r} with baselines; there are: {', '.join(sorted(table))}")
    paired = _PairedScores(
        table[TUNED], {row["id"]: row.get("group") or row["id"] for row in scores[TUNED]}, metric, gate
    )
    comparisons = paired.compare_with_baselines({name: table[name] for name in sorted(table) if name != TUNED})
    lost = find_regressed_suites(probes)
    word, blocking = _choose_verdict(comparisons, gate.margin, prompted, bool(leaked or lost or refused))
    effect = gate.margin + _compute_detectable_effect(comparisons, gate.confidence)
    settle = _estimate_settling_rows(blocking, gate) if word == INSUFFICIENT_EVIDENCE else None
    case = VerdictBasis(
        word, comparisons, blocking, metric.name, gate.margin, gate.confidence, leaked, effect, settle, lost, refused
    )
    return {
        "verdict": word, "metric": metric.name, "margin": gate.margin, "confidence": gate.confidence,
        "tuned": asdict(paired.estimate_tuned_mean()),
        "comparisons": [comparison.to_json() for comparison in comparisons],
        "best_baseline": min(comparisons, key=lambda c: (c.difference_interval.mean, c.baseline)).baseline,
        "reasons": explain_verdict(case), "minimum_detectable_effect": round(effect, statistics.DIGITS),
        "n_to_settle": settle,
        CEILING: _compute_mean_ceiling(scores[TUNED]), "probes": [dict(probe) for probe in probes],
        **({"refused": list(refused)} if refused else {}),
    }


def find_regressed_suites(probes: Sequence[Mapping[str, Any]]) -> list[SuiteRegression]:
    """The suites that fell by more than their tolerance, and by more than chance explains."""
    return [
        SuiteRegression(suite["suite"], suite["base"], suite["tuned"], probe["tolerance"], suite["low"], suite["high"])
        for probe in probes for suite in probe["suites"]
        if suite["difference"] < -probe["tolerance"] and suite["high"] < 0
    ]


def _choose_verdict(
    comparisons: Sequence[BaselineComparison], margin: float, prompted: Collection[str], barred: bool
) -> tuple[str, list[BaselineComparison]]:
    """The verdict, and the comparisons that stand in the way of a better one."""
    failed = [c for c in comparisons if c.difference_interval.high <= margin]
    unclear = [c for c in comparisons if c.difference_interval.low <= margin < c.difference_interval.high]
    if barred:
        return NO_SHIP, failed
    if failed:
        return (PROMPTING_IS_ENOUGH if all(c.baseline in prompted for c in failed) else NO_SHIP), failed
    return (INSUFFICIENT_EVIDENCE, unclear) if unclear else (SHIP, [])


def _compute_detectable_effect(comparisons: Sequence[BaselineComparison], confidence: float) -> float:
    """How far past the margin the truth must lie, against every baseline, for 80 % of such builds to ship."""
    power = statistics.compute_joint_power(len(comparisons))
    return max(
        c.estimate.standard_error * statistics.compute_detectable_errors(
            c.estimate.effective_clusters, confidence, power
        ) for c in comparisons
    )


def _estimate_settling_rows(unclear: Sequence[BaselineComparison], gate: Gate) -> int:
    """The test rows with which every unclear comparison would come down on one side, were the truth what was seen."""
    return max(
        statistics.estimate_rows_needed(
            c.estimate,
            max(
                abs(c.difference_interval.mean - gate.margin),
                _compute_detectable_effect([c], gate.confidence) / SETTLE_EFFECT_DIVISOR
            ), gate.confidence
        )
        for c in unclear
    )


def _extract_metric_column(contender: str, rows: ScoredRows, metric: str) -> dict[str, float]:
    """Row id → value, in the order of ids."""
    found: dict[str, float] = {}
    for row in rows:
        if metric not in row["values"]:
            known = ", ".join(sorted(row["values"]))
            raise ValueError(f"{contender}: row {row['id']!r} has no {metric!r}; it has {known}")
        found[row["id"]] = float(row["values"][metric])
    return {name: found[name] for name in sorted(found)}


def _compute_mean_ceiling(rows: ScoredRows) -> float | None:
    """What a perfect answer would get of the eval's primary metric, on average, where the eval says so."""
    found = [float(row["values"][CEILING]) for row in rows if CEILING in row["values"]]
    return round(sum(found) / len(found), statistics.DIGITS) if found else None
