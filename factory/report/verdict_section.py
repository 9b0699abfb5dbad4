"""First part of the run report: the verdict, the contenders, and how the gate decided."""

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
    render_subsection,
)
from factory.runs.run_outputs import RunOutputs
from factory.verdict import Verdict
from factory.views import formatting

STATE_MESSAGES = {
    "running": "This build is still running.",
    "dead": "This build ended without a final event: its process died. Run the same command again to resume.",
    "interrupted": "This build was interrupted. Run the same command again to resume.",
    "failed": "This build failed.",
}


def render_verdict_header(evidence: RunOutputs) -> Markup:
    """Render the verdict badge, the verdict in a sentence, the next step, and the facts of the run."""
    run, gate = evidence.run, evidence.read_gate()
    verdict, next_step = str(gate.get("verdict", "")) or run.state.upper(), formatting.describe_next_step(gate)
    tone = Verdict.from_word(gate["verdict"]).facts.tone if gate.get("verdict") else ""
    failed = next((f"{s.name}: {s.error}" for s in run.stages.values() if s.error), "")
    unfinished = join_markup(STATE_MESSAGES.get(run.state, "No verdict."), " ", failed)
    lead = formatting.describe_verdict(gate, run.task) if gate else unfinished
    day = time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(run.started))
    profile = f"profile {run.profile}" if run.profile else ""
    meta = [run.task, profile, day, formatting.format_seconds(run.seconds), f"factory {run.factory}"]
    badge = render_element("span", verdict.replace("_", " "), class_=f"badge {tone}".rstrip())
    return render_element(
        "header",
        render_element("h1", badge, render_element("b", run.name), render_element("span", run.id, class_="meta")),
        render_element("p", lead, class_="lead"), render_element("p", next_step) if next_step else None,
        render_element("p", " · ".join(part for part in meta if part), class_="meta"),
    )


def render_contenders_section(evidence: RunOutputs) -> Markup:
    """Render every contender in the deciding metric on one scale, then in all metrics."""
    gate, score = evidence.read_gate(), evidence.read_stage_json("score")
    scores: Mapping[str, Mapping[str, Mapping[str, float]]] = score.get("contenders", {})
    names = [m["name"] for m in score.get("metrics", [])]
    metric = str(gate.get("metric") or score.get("primary") or (names[0] if names else ""))
    ranked = sorted((c for c in scores if metric in scores[c]), key=lambda c: -scores[c][metric]["mean"])
    if not ranked:
        return Markup("")
    scale = formatting.compute_scale([(scores[c][metric]["low"], scores[c][metric]["high"]) for c in ranked])
    baselines = {c["baseline"] for c in gate.get("comparisons", [])}
    rows = [_build_contender_row(name, scores[name][metric], scale, name not in baselines) for name in ranked]
    share = formatting.format_percent(score.get("confidence", 0.95))
    what = next((m.get("what", "") for m in score.get("metrics", []) if m["name"] == metric), "")
    return render_section(
        "Contenders (baselines and candidates)", "contenders",
        render_element("p", render_element("b", metric), f": {what}" if what else "", class_="soft"),
        render_html_table(["contender", metric, "", f"{share} interval", "rows"], rows, numbers=(1, 4)),
        _render_all_metrics(scores, names, ranked) if len(names) > 1 else None,
    )


def _build_contender_row(
    name: str, value: Mapping[str, float], scale: tuple[float, float], strong: bool
) -> list[Child]:
    chart = svg.draw_interval(value["low"], value["mean"], value["high"], scale, strong=strong)
    span = f"{formatting.format_number(value['low'])} to {formatting.format_number(value['high'])}"
    mean, interval = formatting.format_number(value["mean"]), render_element("span", span, class_="keep soft")
    title = render_element("b", name) if strong else name
    return [title, render_element("b", mean), chart, interval, value.get("n", "")]


def _render_all_metrics(scores: Mapping[str, Any], names: list[str], ranked: list[str]) -> Markup:
    def render_mean(value: Mapping[str, float] | None) -> Child:
        if value is None:
            return "–"
        half_width = formatting.format_number((value["high"] - value["low"]) / 2)
        spread = render_element("span", f" ±{half_width}", class_="soft")
        return join_markup(formatting.format_number(value["mean"]), spread)

    rows = [[c, *(render_mean(scores[c].get(name)) for name in names)] for c in ranked]
    table = render_html_table(["contender", *names], rows, numbers=range(1, len(names) + 1))
    return render_subsection("All metrics", table)


def render_gate_section(evidence: RunOutputs) -> Markup:
    """Render how the gate decided: each paired difference against zero and the margin, and its limits."""
    gate = evidence.read_gate()
    comparisons = gate.get("comparisons", [])
    if not comparisons:
        return Markup("")
    margin = float(gate.get("margin", 0.0))
    scale = formatting.compute_scale([(c["low"], c["high"]) for c in comparisons], 0.0, margin)
    rows = [_build_comparison_row(c, scale, margin, c["baseline"] == gate.get("best_baseline")) for c in comparisons]
    reasons = [render_element("li", reason) for reason in gate.get("reasons", [])]
    share = formatting.format_percent(gate.get("confidence", 0.95))
    heads = ["tuned against", "difference", f"{share} interval (0 marked)", "", "p", "won", "lost", "tied"]
    return render_section(
        "How the gate decided", "gate", _render_gate_rule(gate),
        render_html_table(heads, rows, numbers=(1, 4, 5, 6, 7)),
        render_element("ul", *reasons) if reasons else None, _render_gate_limits(gate),
    )


def _build_comparison_row(c: Mapping[str, Any], scale: tuple[float, float], margin: float, best: bool) -> list[Child]:
    marks = sorted({0.0, margin})
    chart = svg.draw_interval(c["low"], c["difference"], c["high"], scale, strong=c["low"] > margin, marks=marks)
    tag = render_element("span", " best baseline", class_="soft") if best else None
    colour = "good" if c["low"] > margin else "bad" if c["high"] < margin else "warn"
    bounds = f"{formatting.format_signed(c['low'])} to {formatting.format_signed(c['high'])}"
    interval = render_element("span", bounds, class_="keep soft")
    p = c.get("p")
    p_text = "–" if p is None else "<0.001" if p < 0.001 else formatting.format_number(p)
    difference = render_element("b", formatting.format_signed(c["difference"]), class_=colour)
    return [
        join_markup(c["baseline"], tag), difference, chart, interval, p_text,
        *(c.get(result, "–") for result in ("won", "lost", "tied")),
    ]


def _render_gate_rule(gate: Mapping[str, Any]) -> Markup:
    share, margin = formatting.format_percent(gate.get("confidence", 0.95)), float(gate.get("margin", 0.0))
    bound = f"a margin of {formatting.format_number(margin)}" if margin else "zero"
    rule = (
        "Every contender answered the same held-out test rows (frozen). To ship, the lower bound of the "
        f"{share} interval of the paired difference to every other contender must lie above {bound}."
    )
    return render_element("p", rule, class_="soft")


def _render_gate_limits(gate: Mapping[str, Any]) -> Markup:
    effect, needed, ceiling = gate.get("minimum_detectable_effect"), gate.get("n_to_settle"), gate.get("ceiling")
    return render_fact_list({
        "minimum detectable effect": formatting.format_signed(effect) if effect is not None else "",
        "test rows needed to decide": f"about {int(needed):,}" if needed else "",
        "upper bound on these rows": formatting.format_number(ceiling) if isinstance(ceiling, int | float) else "",
    })
