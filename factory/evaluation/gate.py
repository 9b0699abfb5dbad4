"""The verdict: whether the tuned model may ship, from the scores of all contenders on the same rows.

To ship, the tuned model must beat every baseline: the lower bound of each paired difference must exceed the margin.
As all must hold at once, the number of comparisons needs no correction (intersection-union test, Berger 1982).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from factory.api.rows import Metric
from factory.evaluation import statistics
from factory.evaluation.reasons import BaselineComparison, SuiteRegression, VerdictBasis, explain_verdict
from factory.events import Verdict

if TYPE_CHECKING:
    from factory.spec.fields import Gate

TUNED, CEILING = "tuned", "ceiling"
SETTLE_EFFECT_DIVISOR = 4
"""`n_to_settle` assumes at least a quarter of the detectable difference: a smaller one would need endless rows."""

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
        differences = [statistics.subtract_scores(self.values, scores, sign) for scores in baselines.values()]
        samples = [
            statistics.group_by_cluster(list(values.values()), [self.clusters[row] for row in values])
            for values in differences
        ]
        means = statistics.bootstrap_means(samples, self.gate.resamples, self.gate.seed)
        parts = zip(baselines, (values.values() for values in differences), samples, means, strict=True)
        return [self._compare_with_baseline(*part) for part in parts]

    def _compare_with_baseline(
        self, baseline: str, differences: Collection[float], data: statistics.ClusterSample, means: statistics.Floats
    ) -> BaselineComparison:
        """Compare with one baseline. p is exact McNemar's for binary rows without groups, else the bootstrap's."""
        won, lost = sum(value > 0 for value in differences), sum(value < 0 for value in differences)
        is_exact = self.metric.binary and len(data.sums) == len(differences)
        p = statistics.compute_mcnemar_p(won, lost) if is_exact else statistics.compute_p_value(data, means)
        estimate = statistics.estimate_mean(data, means, self.gate.confidence)
        return BaselineComparison(baseline, estimate, p, won, lost, len(differences) - won - lost)

    def estimate_tuned_mean(self) -> statistics.ConfidenceInterval:
        """Return the tuned model's own mean with its interval."""
        return statistics.compute_mean_interval(
            list(self.values.values()), [self.clusters[name] for name in self.values], self.gate.confidence,
            binary=self.metric.binary, resamples=self.gate.resamples, seed=self.gate.seed,
        )


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
    regressions = _find_regressed_suites(probes)
    verdict, blocking = _choose_verdict(comparisons, gate.margin, prompted, bool(leaked or regressions or refused))
    effect = gate.margin + _compute_detectable_effect(comparisons, gate.confidence)
    settle = _estimate_settling_rows(blocking, gate) if verdict is Verdict.INSUFFICIENT_EVIDENCE else None
    basis = VerdictBasis(
        verdict, comparisons, blocking, metric.name, gate.margin, gate.confidence, leaked, effect, settle, regressions,
        refused,
    )
    ceilings = [float(row["values"][CEILING]) for row in scores[TUNED] if CEILING in row["values"]]
    return {
        "verdict": str(verdict), "metric": metric.name, "margin": gate.margin, "confidence": gate.confidence,
        "tuned": asdict(paired.estimate_tuned_mean()),
        "comparisons": [comparison.to_json() for comparison in comparisons],
        "best_baseline": min(comparisons, key=lambda c: (c.difference_interval.mean, c.baseline)).baseline,
        "reasons": explain_verdict(basis), "minimum_detectable_effect": round(effect, statistics.DIGITS),
        "n_to_settle": settle, "probes": [dict(probe) for probe in probes],
        CEILING: round(sum(ceilings) / len(ceilings), statistics.DIGITS) if ceilings else None,
        **({"refused": list(refused)} if refused else {}),
    }


def _find_regressed_suites(probes: Sequence[Mapping[str, Any]]) -> list[SuiteRegression]:
    """Return the suites that fell by more than their tolerance, and by more than chance explains."""
    return [
        SuiteRegression(suite["suite"], suite["base"], suite["tuned"], probe["tolerance"], suite["low"], suite["high"])
        for probe in probes for suite in probe["suites"]
        if suite["difference"] < -probe["tolerance"] and suite["high"] < 0
    ]


def _choose_verdict(
    comparisons: Sequence[BaselineComparison], margin: float, prompted: Collection[str], is_blocked: bool
) -> tuple[Verdict, list[BaselineComparison]]:
    """Return the verdict, and the comparisons that prevent a better one."""
    failed = [c for c in comparisons if c.difference_interval.high <= margin]
    unclear = [c for c in comparisons if c.difference_interval.low <= margin < c.difference_interval.high]
    if is_blocked:
        return Verdict.NO_SHIP, failed
    if failed:
        only_prompted = all(c.baseline in prompted for c in failed)
        return (Verdict.PROMPTING_IS_ENOUGH if only_prompted else Verdict.NO_SHIP), failed
    return (Verdict.INSUFFICIENT_EVIDENCE, unclear) if unclear else (Verdict.SHIP, [])


def _compute_detectable_effect(comparisons: Sequence[BaselineComparison], confidence: float) -> float:
    """Return the true difference beyond the margin, to every baseline, with which 80 % of such builds would ship."""
    power = statistics.compute_joint_power(len(comparisons))
    return max(
        estimate.standard_error * statistics.compute_detectable_errors(estimate.effective_clusters, confidence, power)
        for estimate in (comparison.estimate for comparison in comparisons)
    )


def _estimate_settling_rows(unclear: Sequence[BaselineComparison], gate: Gate) -> int:
    """Return the test rows that would settle every unclear comparison, if the true differences are those measured."""

    def compute_distance(comparison: BaselineComparison) -> float:
        smallest = _compute_detectable_effect([comparison], gate.confidence) / SETTLE_EFFECT_DIVISOR
        return max(abs(comparison.difference_interval.mean - gate.margin), smallest)

    return max(statistics.estimate_rows_needed(c.estimate, compute_distance(c), gate.confidence) for c in unclear)


def _extract_metric_column(contender: str, rows: ScoredRows, metric: str) -> dict[str, float]:
    """Return row id → value, ordered by id."""
    values: dict[str, float] = {}
    for row in sorted(rows, key=lambda row: str(row["id"])):
        if metric not in row["values"]:
            known = ", ".join(sorted(row["values"]))
            raise ValueError(f"{contender}: row {row['id']!r} has no {metric!r}; it has {known}")
        values[row["id"]] = float(row["values"][metric])
    return values
