"""The first part of the report: the verdict, the contenders, and how the gate came to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from factory.evidence import RunOutputs
from factory.report import svg, words
from factory.report.html import Child, Markup, facts, join, section, table, tag

STATES = {
    "running": "This build is still going on.",
    "dead": "This build ended without a last word: its process is gone. The same command goes on where it stopped.",
    "interrupted": "This build was interrupted. The same command goes on where it stopped.",
    "failed": "This build failed.",
}


def head(evidence: RunOutputs) -> Markup:
    """Badge, the verdict in a sentence, and what run this is."""
    run, gate = evidence.run, evidence.read_stage_json("gate")
    verdict = str(gate.get("verdict", "")) or run.state.upper()
    failed = next((f"{s.name}: {s.error}" for s in run.stages.values() if s.error), "")
    lead = words.headline(gate, run.task) if gate else join(STATES.get(run.state, "No verdict."), " ", failed)
    day = time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(run.started))
    profile = f"profile {run.profile}" if run.profile else ""
    meta = [run.task, profile, day, words.seconds(run.seconds), f"factory {run.factory}"]
    return tag(
        "header",
        tag("h1", _badge(verdict), tag("b", run.name), tag("span", run.id, class_="meta")),
        tag("p", lead, class_="lead"),
        tag("p", words.advice(gate)) if words.advice(gate) else None,
        tag("p", " · ".join(part for part in meta if part), class_="meta"),
    )


def _badge(verdict: str) -> Markup:
    return tag("span", verdict.replace("_", " "), class_=f"badge {verdict}")


def contenders(evidence: RunOutputs) -> Markup:
    """Every contender in the deciding metric, drawn on one scale; below, in all metrics."""
    gate, score = evidence.read_stage_json("gate"), evidence.read_stage_json("score")
    found: Mapping[str, Mapping[str, Mapping[str, float]]] = score.get("contenders", {})
    names = [m["name"] for m in score.get("metrics", [])]
    metric = str(gate.get("metric") or score.get("primary") or (names[0] if names else ""))
    ranked = sorted((c for c in found if metric in found[c]), key=lambda c: -found[c][metric]["mean"])
    if not ranked:
        return Markup("")
    scale = words.scale([(found[c][metric]["low"], found[c][metric]["high"]) for c in ranked])
    tuned = {c["baseline"] for c in gate.get("comparisons", [])}
    rows = [_contender(name, found[name][metric], scale, name not in tuned) for name in ranked]
    share = words.percent(score.get("confidence", 0.95))
    return section(
        "Who answered best",
        "contenders",
        _meaning(score, metric),
        table(["contender", metric, "", f"{share} interval", "rows"], rows, numbers=(1, 4)),
        _all_metrics(found, names, ranked),
    )


def _meaning(score: Mapping[str, Any], metric: str) -> Markup:
    what = next((m.get("what", "") for m in score.get("metrics", []) if m["name"] == metric), "")
    return tag("p", tag("b", metric), f": {what}" if what else "", class_="soft")


def _contender(name: str, value: Mapping[str, float], scale: tuple[float, float], strong: bool) -> list[Child]:
    drawn = svg.interval(value["low"], value["mean"], value["high"], scale, strong=strong)
    span = f"{words.number(value['low'])} to {words.number(value['high'])}"
    title = tag("b", name) if strong else name
    return [
        title,
        tag("b", words.number(value["mean"])),
        drawn,
        tag("span", span, class_="keep soft"),
        value.get("n", ""),
    ]


def _all_metrics(found: Mapping[str, Any], names: list[str], ranked: list[str]) -> Markup:
    if len(names) < 2:
        return Markup("")
    rows: list[list[Child]] = [[c, *(_mean(found[c].get(name)) for name in names)] for c in ranked]
    return join(tag("h3", "All metrics"), table(["contender", *names], rows, numbers=tuple(range(1, len(names) + 1))))


def _mean(value: Mapping[str, float] | None) -> Child:
    if value is None:
        return "–"
    half = (value["high"] - value["low"]) / 2
    return join(words.number(value["mean"]), tag("span", f" ±{words.number(half)}", class_="soft"))


def reasoning(evidence: RunOutputs) -> Markup:
    """How the gate decided: each paired difference against zero and the margin, and what it would take."""
    gate = evidence.read_stage_json("gate")
    comparisons = gate.get("comparisons", [])
    if not comparisons:
        return Markup("")
    margin = float(gate.get("margin", 0.0))
    scale = words.scale([(c["low"], c["high"]) for c in comparisons], 0.0, margin)
    rows = [_comparison(c, scale, margin, c["baseline"] == gate.get("best_baseline")) for c in comparisons]
    share = words.percent(gate.get("confidence", 0.95))
    heads: list[Child] = ["tuned against", "gains", f"0 and the {share} interval", "", "p", "won", "lost", "tied"]
    return section(
        "How the gate decided",
        "gate",
        _rule(gate),
        table(heads, rows, numbers=(1, 4, 5, 6, 7)),
        tag("ul", *(tag("li", reason) for reason in gate.get("reasons", []))) if gate.get("reasons") else None,
        _limits(gate),
    )


def _comparison(c: Mapping[str, Any], scale: tuple[float, float], margin: float, best: bool) -> list[Child]:
    drawn = svg.interval(
        c["low"], c["difference"], c["high"], scale, strong=c["low"] > margin, marks=sorted({0.0, margin})
    )
    name = join(c["baseline"], tag("span", " the best of them", class_="soft")) if best else c["baseline"]
    colour = "good" if c["low"] > margin else "bad" if c["high"] < margin else "warn"
    span = tag("span", f"{words.signed(c['low'])} to {words.signed(c['high'])}", class_="keep soft")
    p = c.get("p")
    shown = "–" if p is None else "<0.001" if p < 0.001 else words.number(p)
    return [
        name,
        tag("b", words.signed(c["difference"]), class_=colour),
        drawn,
        span,
        shown,
        *(c.get(k, "–") for k in ("won", "lost", "tied")),
    ]


def _rule(gate: Mapping[str, Any]) -> Markup:
    share, margin = words.percent(gate.get("confidence", 0.95)), float(gate.get("margin", 0.0))
    bound = f"a margin of {words.number(margin)}" if margin else "zero"
    return tag(
        "p",
        f"Every contender answered the same frozen rows. The rule: the lower end of the {share} interval of the paired "
        f"difference to each of the others must lie above {bound}.",
        class_="soft",
    )


def _limits(gate: Mapping[str, Any]) -> Markup:
    effect, needed, ceiling = gate.get("minimum_detectable_effect"), gate.get("n_to_settle"), gate.get("ceiling")
    return facts(
        [
            ("detectable effect", words.signed(effect) if effect is not None else ""),
            ("rows to settle it", f"about {int(needed)}" if needed else ""),
            ("ceiling of any answer", _ceiling(ceiling)),
        ]
    )


def _ceiling(ceiling: Any) -> str:
    if isinstance(ceiling, Mapping):
        return ", ".join(f"{name} {words.number(value)}" for name, value in ceiling.items())
    return words.number(ceiling) if isinstance(ceiling, int | float) else ""
