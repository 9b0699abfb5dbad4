"""The verdict page: what CLI, TUI and report show of a run's verdict, computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from factory.bundle.delivered import describe_delivery
from factory.bundle.manifest import find_manifest
from factory.evaluation.compare import CONFIDENCE, find_tuned_contender
from factory.evaluation.paired_tests import MIN_EFFECTIVE_GROUPS
from factory.runs.run_outputs import RunOutputs, find_deciding_comparison
from factory.views import formatting, verdict_tables
from factory.views.advice import describe_next_step
from factory.views.elements import BAR_WIDTH, Cell, Column, Interval, Table, Text, make_row
from factory.views.signs import SMOKE_WARNING, describe_unfinished

BUNDLE_REMOVED = "The bundle is no longer in the store; run the same build command to rebuild it."


@dataclass(frozen=True, slots=True)
class VerdictView:
    """What a verdict page shows. Texts and tables are empty where the run did not come so far."""

    verdict: str
    sentence: str
    """The verdict in a sentence; of an unfinished run, its state."""
    delivered: str
    """What the bundle carries and why, in a sentence; empty for tuned that ships."""
    next_step: str
    warning: str
    metric: str
    """The deciding metric."""
    metric_meaning: str
    contenders: Table
    """Scores, and gains of tuned, on one scale each; columns are chosen by `Table.select`."""
    ceiling: str
    looks: str
    """How often the test rows were judged, and what follows."""
    seeds: tuple[str, ...]
    """What several seeds of tuned say, in sentences without a full stop; empty for one."""
    steps: Table
    """What each step of a training course was worth; without rows for a single objective."""
    rule: str
    """The condition on which the gate ships."""
    reasons: tuple[str, ...]
    limits: Mapping[str, str]
    """What the gate could detect, by name."""
    totals: Table
    metrics_tables: tuple[verdict_tables.MetricsTable, ...]
    forgetting: Table
    forgetting_rule: str
    drift: tuple[str, ...]
    confidence: float
    tuned: str
    """The contender with the trained artifact."""
    baseline: str
    """The deciding baseline."""

    @property
    def gains(self) -> Table:
        """What tuned gains over each contender that the gate compared it with."""
        table = self.contenders.select(GAIN_COLUMNS)
        return replace(table, rows=tuple(row for row in table.rows if row.values[1] is not None))


def build_verdict_view(outputs: RunOutputs) -> VerdictView:
    """Compute the verdict page of a run from its gate and its scores."""
    gate, score, run = outputs.read_gate(), outputs.read_stage_json("score"), outputs.run
    metrics = {str(m["name"]): m for m in score.get("metrics", [])}
    metric = str(gate.get("metric") or score.get("primary") or next(iter(metrics), ""))
    is_removed = bool(run.verdict) and outputs.find_stage_folder("bundle") is None
    failed = next(((s.name, s.error) for s in run.stages.values() if s.error), ())
    warnings: list[str] = gate.get("warnings", [])
    clean = formatting.format_recorded_text
    sentence = formatting.describe_verdict(gate, run.task) if gate else describe_unfinished(run.state, *failed)
    ceiling, probes, tuned = gate.get("ceiling"), gate.get("probes", []), find_tuned_contender(run)
    return VerdictView(
        verdict=str(gate.get("verdict", "")),
        sentence=clean(sentence),
        delivered=clean(_describe_delivered(outputs)),
        next_step=clean(describe_next_step(gate)),
        warning=clean(_join_warnings(gate, is_removed, is_smoke=run.is_smoke and bool(gate))),
        metric=metric, metric_meaning=str(metrics.get(metric, {}).get("what", "")),
        contenders=build_contenders_table(gate, score, metric, tuned),
        ceiling=_describe_ceiling(ceiling) if isinstance(ceiling, int | float) else "",
        looks=clean(gate.get("looks", {}).get("finding", "")),
        seeds=tuple(map(clean, gate.get("seeds", {}).get("findings", ()))),
        steps=verdict_tables.build_steps_table(gate),
        rule=_describe_rule(gate) if gate.get("comparisons") else "",
        reasons=tuple(clean(reason) for reason in gate.get("reasons", []) if reason not in warnings),
        limits=_describe_limits(gate),
        totals=verdict_tables.build_totals_table(score),
        metrics_tables=verdict_tables.build_metrics_tables(score, tuned),
        forgetting=verdict_tables.build_forgetting_table(probes),
        forgetting_rule=verdict_tables.describe_forgetting_rule(probes), drift=verdict_tables.describe_drift(probes),
        confidence=_get_confidence(gate, score), tuned=tuned,
        baseline=str(find_deciding_comparison(gate).get("baseline", "")),
    )


def build_verdict_json(outputs: RunOutputs) -> dict[str, Any]:
    """Return the outcome of a run as JSON data."""
    run, score = outputs.run, outputs.read_stage_json("score")
    return {
        **run.summarise_run(), "exit_code": run.end.exit_code if run.end else None,
        "bundle": str(outputs.find_stage_folder("bundle") or ""), "gate": outputs.read_gate(),
        "delivered": find_manifest(outputs.find_stage_folder("bundle")).get("delivered", {}),
        **{name: score.get(name, {}) for name in ("contenders", "totals", "tables")},
    }


def _describe_delivered(outputs: RunOutputs) -> str:
    manifest = find_manifest(outputs.find_stage_folder("bundle"))
    text = describe_delivery(manifest)
    return f"Delivered: {text}. The reason: {manifest['delivered']['reason']}." if text else ""


def _join_warnings(gate: Mapping[str, Any], is_removed: bool, is_smoke: bool) -> str:
    doubts = (f"Doubtful: {text}." for text in gate.get("warnings", []))
    return " ".join([*([SMOKE_WARNING] * is_smoke), *doubts, *([BUNDLE_REMOVED] * is_removed)])


def _get_confidence(gate: Mapping[str, Any], score: Mapping[str, Any]) -> float:
    return float(gate.get("confidence", score.get("confidence", CONFIDENCE)))


def _describe_ceiling(ceiling: float) -> str:
    return f"upper bound on these rows: {formatting.format_number(ceiling)}, the best score their candidates allow"


def _describe_rule(gate: Mapping[str, Any]) -> str:
    share, margin = formatting.format_percent(_get_confidence(gate, {})), float(gate.get("margin", 0.0))
    bound = f"a margin of {formatting.format_number(margin)}" if margin else "zero"
    return (
        "Every contender answered the same held-out test rows (frozen). To ship, the lower bound of the "
        f"{share} interval of the paired difference to every other contender must lie above {bound}."
        f"{_describe_further_rules(gate.get('rules', []))}"
    )


def _describe_further_rules(rules: Sequence[Mapping[str, Any]]) -> str:
    """Return which rules the spec states beside, in a sentence after a space; empty if none."""
    levels = [f"a {rule['rule']} of {rule['value']:g}" for rule in rules if "value" in rule]
    guards = sum(rule["rule"] == "guard" for rule in rules)
    matched = [f"that tuned matches {rule['contender']}" for rule in rules if rule["rule"] == "match"]
    stated = [*levels, *([formatting.format_count(guards, "guard")] if guards else []), *matched]
    return f" The spec also states {formatting.join_names(stated)}." if stated else ""


def _describe_limits(gate: Mapping[str, Any]) -> dict[str, str]:
    effect, needed, size = gate.get("minimum_detectable_effect"), gate.get("n_to_settle"), gate.get("settle") or {}
    bound = "more than" if size.get("is_capped") else "about"
    unit = {"groups": "groups of test rows", "seeds": "seeds"}.get(size.get("unit", ""), "test rows")
    return {
        "best baseline": str(gate.get("best_baseline", "")),
        "minimum detectable effect": formatting.format_signed(effect) if effect is not None else "",
        f"{unit} needed to decide": f"{bound} {int(needed):,}" if needed else "",
    }


SCORE_COLUMNS = ("contender", "score", "score bar", "score interval", "rows")
GAIN_COLUMNS = ("contender", "gain of tuned", "gain bar", "interval of the gain", "p", "won/lost/tied", "result")
"""Columns of a table of scores and of a table of gains, where the width does not allow both in one."""
SUMMARY_COLUMNS = (
    "contender", "score", "score interval", "score bar", "gain of tuned", "interval of the gain", "won/lost/tied",
    "result",
)


def build_contenders_table(gate: Mapping[str, Any], score: Mapping[str, Any], metric: str, tuned: str) -> Table:
    """Return the contenders by the deciding metric, best first, and what tuned gains over each."""
    columns = _make_contender_columns(metric, formatting.format_percent(_get_confidence(gate, score)))
    scores = {c: values[metric] for c, values in score.get("contenders", {}).items() if metric in values}
    if not scores:
        return Table(columns, (), "no scores yet")
    higher = all(m.get("higher_is_better", True) for m in score.get("metrics", []) if m.get("name") == metric)
    order = sorted(scores, key=lambda c: float(scores[c]["mean"]), reverse=higher)
    margin, gains = float(gate.get("margin", 0.0)), {c["baseline"]: c for c in gate.get("comparisons", [])}
    bounds = formatting.compute_scale([(v["low"], v["high"]) for v in scores.values()])
    spread = [(c["low"], c["high"]) for c in gains.values()]
    gain_scale = formatting.compute_scale(spread, 0.0, margin)
    rows = []
    for name in order:
        cells, values = _make_score_cells(name, scores[name], bounds, name == tuned)
        more_cells, more_values = _make_gain_cells(gains.get(name), gain_scale, margin)
        rows.append(make_row(name, *cells, *more_cells, values=[*values, *more_values]))
    return Table(columns, tuple(rows))


def _make_contender_columns(metric: str, share: str) -> tuple[Column, ...]:
    return (
        Column("contender", min_width=18),
        Column(metric or "score", align_right=True, min_width=12, key="score"),
        Column("", drop_rank=2, min_width=BAR_WIDTH, key="score bar"),
        Column(f"{share} interval", drop_rank=4, min_width=14, key="score interval"),
        Column("rows", align_right=True, drop_rank=8, min_width=4),
        Column("gain of tuned", align_right=True, min_width=13),
        Column("", drop_rank=9, min_width=BAR_WIDTH, key="gain bar"),
        Column("interval of the gain", drop_rank=3, min_width=20),
        Column("p", align_right=True, drop_rank=7, min_width=6),
        Column("won/lost/tied", drop_rank=5, align_right=True, min_width=13),
        Column("", drop_rank=1, min_width=18, key="result"),
    )


def _make_score_cells(
    name: str, value: Mapping[str, float], scale: tuple[float, float], is_tuned: bool
) -> tuple[list[Cell], list[Any]]:
    """Return the cells and the values of SCORE_COLUMNS."""
    span = f"{formatting.format_number(value['low'])} to {formatting.format_number(value['high'])}"
    cells: list[Cell] = [
        Text(name, "strong" if is_tuned else ""), Text(formatting.format_number(value["mean"]), "strong"),
        Interval(value["low"], value["mean"], value["high"], scale, (), "accent" if is_tuned else "dim"),
        Text(span, "dim"), Text(str(value.get("n", "")), "dim"),
    ]
    return cells, [name, value["mean"], "", span, value.get("n")]


def _make_gain_cells(
    gain: Mapping[str, Any] | None, scale: tuple[float, float], margin: float
) -> tuple[list[Cell], list[Any]]:
    """Return the cells and the values of GAIN_COLUMNS; empty ones for tuned, and for contenders that are only shown."""
    if gain is None:
        return [Text("")] * 6, [None, "", "", None, "", ""]
    word, tone = describe_gain_result(gain, margin)
    counts = "/".join(str(gain.get(result, "–")) for result in ("won", "lost", "tied"))
    bounds = formatting.format_bounds(gain["low"], gain["high"])
    cells: list[Cell] = [
        Text(formatting.format_signed(gain["difference"]), tone),
        Interval(gain["low"], gain["difference"], gain["high"], scale, tuple(sorted({0.0, margin})), tone),
        Text(bounds, "dim"), Text(_format_p(gain.get("p")), "dim"), Text(counts, "dim"), Text(word, tone),
    ]
    return cells, [gain["difference"], "", bounds, gain.get("p"), counts, word]


def _format_p(p: float | None) -> str:
    return "–" if p is None else "<0.001" if p < 0.001 else formatting.format_number(p)


def describe_gain_result(gain: Mapping[str, Any], margin: float) -> tuple[str, str]:
    """Return where the interval of a gain lies relative to zero and the margin, and its tone."""
    if gain.get("effective_groups", MIN_EFFECTIVE_GROUPS) < MIN_EFFECTIVE_GROUPS:
        return "? too few groups", "warn"
    if gain["low"] > margin:
        return "▲ tuned is better", "good"
    if gain["high"] < min(0.0, margin):
        return "▼ tuned is worse", "bad"
    return ("▼ below the margin", "bad") if gain["high"] < margin else ("= within the noise", "warn")
