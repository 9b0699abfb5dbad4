"""The first part of the report: the verdict, the contenders, and how the gate came to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from factory.report import svg
from factory.report.html import (
    Child,
    Markup,
    join_markup,
    render_element,
    render_fact_list,
    render_html_table,
    render_section,
)
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting

STATE_MESSAGES = {
    "running": "This build is still going on.",
    "dead": "This build ended without a last word: its process is gone. The same command goes on where it stopped.",
    "interrupted": "This build was interrupted. The same command goes on where it stopped.",
    "failed": "This build failed.",
}


def render_verdict_header(evidence: RunOutputs) -> Markup:
    """Badge, the verdict in a sentence, and what run this is."""
    run, gate = evidence.run, evidence.read_stage_json("gate")
    verdict = str(gate.get("verdict", "")) or run.state.upper()
    failed = next((f"{s.name}: {s.error}" for s in run.stages.values() if s.error), "")
    lead = formatting.describe_verdict(gate, run.task) if gate else join_markup(STATE_MESSAGES.get(run.state, "No verdict."), " ", failed)
    day = time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(run.started))
    profile = f"profile {run.profile}" if run.profile else ""
    meta = [run.task, profile, day, formatting.format_seconds(run.seconds), f"factory {run.factory}"]
    return render_element(
        "header",
        render_element("h1", _render_verdict_badge(verdict), render_element("b", run.name), render_element("span", run.id, class_="meta")),
        render_element("p", lead, class_="lead"),
        render_element("p", formatting.describe_next_step(gate)) if formatting.describe_next_step(gate) else None,
        render_element("p", " · ".join(part for part in meta if part), class_="meta"),
    )


def _render_verdict_badge(verdict: str) -> Markup:
    return render_element("span", verdict.replace("_", " "), class_=f"badge {verdict}")


def render_contenders_section(evidence: RunOutputs) -> Markup:
    """Every contender in the deciding metric, drawn on one scale; below, in all metrics."""
    gate, score = evidence.read_stage_json("gate"), evidence.read_stage_json("score")
    found: Mapping[str, Mapping[str, Mapping[str, float]]] = score.get("contenders", {})
    names = [m["name"] for m in score.get("metrics", [])]
    metric = str(gate.get("metric") or score.get("primary") or (names[0] if names else ""))
    ranked = sorted((c for c in found if metric in found[c]), key=lambda c: -found[c][metric]["mean"])
    if not ranked:
        return Markup("")
    scale = formatting.compute_scale([(found[c][metric]["low"], found[c][metric]["high"]) for c in ranked])
    tuned = {c["baseline"] for c in gate.get("comparisons", [])}
    rows = [_build_contender_row(name, found[name][metric], scale, name not in tuned) for name in ranked]
    share = formatting.format_percent(score.get("confidence", 0.95))
    return render_section(
        "Who answered best",
        "contenders",
        _render_metric_meaning(score, metric),
        render_html_table(["contender", metric, "", f"{share} interval", "rows"], rows, numbers=(1, 4)),
        _render_all_metrics(found, names, ranked),
    )


def _render_metric_meaning(score: Mapping[str, Any], metric: str) -> Markup:
    what = next((m.get("what", "") for m in score.get("metrics", []) if m["name"] == metric), "")
    return render_element("p", render_element("b", metric), f": {what}" if what else "", class_="soft")


def _build_contender_row(name: str, value: Mapping[str, float], scale: tuple[float, float], strong: bool) -> list[Child]:
    drawn = svg.draw_interval(value["low"], value["mean"], value["high"], scale, strong=strong)
    span = f"{formatting.format_number(value['low'])} to {formatting.format_number(value['high'])}"
    title = render_element("b", name) if strong else name
    return [
        title,
        render_element("b", formatting.format_number(value["mean"])),
        drawn,
        render_element("span", span, class_="keep soft"),
        value.get("n", ""),
    ]


def _render_all_metrics(found: Mapping[str, Any], names: list[str], ranked: list[str]) -> Markup:
    if len(names) < 2:
        return Markup("")
    rows: list[list[Child]] = [[c, *(_render_mean(found[c].get(name)) for name in names)] for c in ranked]
    return join_markup(render_element("h3", "All metrics"), render_html_table(["contender", *names], rows, numbers=tuple(range(1, len(names) + 1))))


def _render_mean(value: Mapping[str, float] | None) -> Child:
    if value is None:
        return "–"
    half = (value["high"] - value["low"]) / 2
    return join_markup(formatting.format_number(value["mean"]), render_element("span", f" ±{formatting.format_number(half)}", class_="soft"))


def render_gate_section(evidence: RunOutputs) -> Markup:
    """How the gate decided: each paired difference against zero and the margin, and what it would take."""
    gate = evidence.read_stage_json("gate")
    comparisons = gate.get("comparisons", [])
    if not comparisons:
        return Markup("")
    margin = float(gate.get("margin", 0.0))
    scale = formatting.compute_scale([(c["low"], c["high"]) for c in comparisons], 0.0, margin)
    rows = [_build_comparison_row(c, scale, margin, c["baseline"] == gate.get("best_baseline")) for c in comparisons]
    share = formatting.format_percent(gate.get("confidence", 0.95))
    heads: list[Child] = ["tuned against", "gains", f"0 and the {share} interval", "", "p", "won", "lost", "tied"]
    return render_section(
        "How the gate decided",
        "gate",
        _render_gate_rule(gate),
        render_html_table(heads, rows, numbers=(1, 4, 5, 6, 7)),
        render_element("ul", *(render_element("li", reason) for reason in gate.get("reasons", []))) if gate.get("reasons") else None,
        _render_gate_limits(gate),
    )


def _build_comparison_row(c: Mapping[str, Any], scale: tuple[float, float], margin: float, best: bool) -> list[Child]:
    drawn = svg.draw_interval(
        c["low"], c["difference"], c["high"], scale, strong=c["low"] > margin, marks=sorted({0.0, margin})
    )
    name = join_markup(c["baseline"], render_element("span", " the best of them", class_="soft")) if best else c["baseline"]
    colour = "good" if c["low"] > margin else "bad" if c["high"] < margin else "warn"
    span = render_element("span", f"{formatting.format_signed(c['low'])} to {formatting.format_signed(c['high'])}", class_="keep soft")
    p = c.get("p")
    shown = "–" if p is None else "<0.001" if p < 0.001 else formatting.format_number(p)
    return [
        name,
        render_element("b", formatting.format_signed(c["difference"]), class_=colour),
        drawn,
        span,
        shown,
        *(c.get(k, "–") for k in ("won", "lost", "tied")),
    ]


def _render_gate_rule(gate: Mapping[str, Any]) -> Markup:
    share, margin = formatting.format_percent(gate.get("confidence", 0.95)), float(gate.get("margin", 0.0))
    bound = f"a margin of {formatting.format_number(margin)}" if margin else "zero"
    return render_element(
        "p",
        f"Every contender answered the same frozen rows. The rule: the lower end of the {share} interval of the paired "
        f"difference to each of the others must lie above {bound}.",
        class_="soft",
    )


def _render_gate_limits(gate: Mapping[str, Any]) -> Markup:
    effect, needed, ceiling = gate.get("minimum_detectable_effect"), gate.get("n_to_settle"), gate.get("ceiling")
    return render_fact_list(
        [
            ("detectable effect", formatting.format_signed(effect) if effect is not None else ""),
            ("rows to settle it", f"about {int(needed)}" if needed else ""),
            ("ceiling of any answer", _format_ceiling_values(ceiling)),
        ]
    )


def _format_ceiling_values(ceiling: Any) -> str:
    if isinstance(ceiling, Mapping):
        return ", ".join(f"{name} {formatting.format_number(value)}" for name, value in ceiling.items())
    return formatting.format_number(ceiling) if isinstance(ceiling, int | float) else ""
