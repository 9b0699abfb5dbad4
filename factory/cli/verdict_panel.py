"""The result of a build as terminal text: verdict, contenders with intervals, and how to try the bundle."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory.cli import output
from factory.cli.output import fill_line, format_table, style_bold, style_dim
from factory.evaluation.compare import FrozenRowViewer
from factory.runs.run_outputs import RunOutputs
from factory.verdict import Verdict
from factory.views import formatting

TONE_COLOURS = {"good": "green", "bad": "red", "warn": "yellow"}
BAR_WIDTH = 28
MAX_TOTAL_COLUMNS = 6
"""Maximum number of aggregate metrics shown side by side; the report has all."""


def build_run_summary(evidence: RunOutputs) -> dict[str, Any]:
    """Return the outcome of a run as JSON data."""
    run, score = evidence.run, evidence.read_stage_json("score")
    return {
        **run.summarise_run(), "exit_code": run.end.exit_code if run.end else None,
        "bundle": str(evidence.find_stage_folder("bundle") or ""), "gate": evidence.read_gate(),
        "contenders": score.get("contenders", {}), "totals": score.get("totals", {}),
    }


def format_verdict_panel(evidence: RunOutputs) -> str:
    """Return the verdict with its evidence as text; empty if the run did not reach a verdict."""
    gate = evidence.read_gate()
    verdict = str(gate.get("verdict", ""))
    if not verdict:
        return ""
    badge = output.format_badge(f" {verdict} ", TONE_COLOURS[Verdict.from_word(verdict).facts.tone])
    run, next_step, ceiling = evidence.run, formatting.describe_next_step(gate), gate.get("ceiling")
    bound = f"upper bound on these rows: {formatting.format_number(ceiling)}, the best score their candidates allow"
    lines = [
        f"{badge} {style_bold(run.name)} {style_dim(run.id)}",
        fill_line(formatting.describe_verdict(gate, run.task)), *([fill_line(next_step)] if next_step else []),
        "", style_dim("contenders (baselines and candidates) on the held-out test rows (frozen)"),
        format_contenders_table(evidence), *([style_dim(bound)] if isinstance(ceiling, int | float) else []),
        *_format_totals_table(evidence), *_format_probes_table(gate), "", *_format_gate_reasons(gate),
        *_format_bundle_lines(evidence),
    ]
    return "\n".join(lines)


def _format_totals_table(evidence: RunOutputs) -> list[str]:
    """Return the table of aggregate metrics (not means over rows), a line per contender."""
    totals = {name: values for name, values in evidence.read_stage_json("score").get("totals", {}).items() if values}
    names = list(dict.fromkeys(metric for values in totals.values() for metric in values))[:MAX_TOTAL_COLUMNS]
    if not names:
        return []
    rows = [[formatting.clean_line(name), *(formatting.format_number(values.get(metric, "")) for metric in names)]
            for name, values in totals.items()]
    return ["", format_table(["contender", *names], rows, right=tuple(range(1, len(names) + 1)))]


def _format_probes_table(gate: Mapping[str, Any]) -> list[str]:
    """Return the table of general-capability probes: base against tuned model, and drift."""
    probes = gate.get("probes", [])
    rows = [
        [formatting.clean_line(suite["suite"]), str(suite["n"]), formatting.format_number(suite["base"]),
         formatting.format_number(suite["tuned"]), formatting.format_signed(suite["difference"]),
         f"{formatting.format_signed(suite['low'])} to {formatting.format_signed(suite['high'])}"]
        for probe in probes for suite in probe.get("suites", [])
    ]
    drifts = [drift for probe in probes for drift in probe.get("drift", {}).items()]
    drift = ", ".join(f"{name} {formatting.format_number(value)}" for name, value in drifts)
    if not rows:
        return []
    heads = ["general capability", "items", "base", "tuned", "change", "interval"]
    return ["", format_table(heads, rows, right=(1, 2, 3, 4)), *([style_dim(drift)] if drift else [])]


def _format_gate_reasons(gate: Mapping[str, Any]) -> list[str]:
    if Verdict.from_word(gate.get("verdict", "")).ships or not gate.get("reasons"):
        return []
    return [*(fill_line(reason, "- ", "  ") for reason in gate["reasons"]), ""]


def format_contenders_table(evidence: RunOutputs) -> str:
    """Return a table of each contender's mean and interval on one scale, and the gain of tuned over it."""
    gate, score = evidence.read_gate(), evidence.read_stage_json("score")
    metric = gate.get("metric") or next((m["name"] for m in score.get("metrics", [])), "")
    scores = {c: values[metric] for c, values in score.get("contenders", {}).items() if metric in values}
    if not scores:
        return ""
    gains = {c["baseline"]: c for c in gate.get("comparisons", [])}
    scale = formatting.compute_scale([(v["low"], v["high"]) for v in scores.values()])
    ranked = sorted(scores, key=lambda c: -scores[c]["mean"])
    rows = [_build_contender_cells(name, scores[name], gains.get(name), scale) for name in ranked]
    share = formatting.format_percent(gate.get("confidence", score.get("confidence", 0.95)))
    heads = ["contender", metric, f"{share} interval", "", "gain of tuned", "interval", "won/lost/tied"]
    return format_table(heads, rows, right=(1, 4))


def _build_contender_cells(
    name: str, value: Mapping[str, float], gain: Mapping[str, Any] | None, scale: tuple[float, float]
) -> list[str]:
    span = f"{formatting.format_number(value['low'])} to {formatting.format_number(value['high'])}"
    mean, bar = formatting.format_number(value["mean"]), format_interval_bar(value, scale)
    base = [formatting.clean_line(name), mean, span, bar]
    if gain is None:
        return [*base, "", "", ""]
    interval = f"{formatting.format_signed(gain['low'])} to {formatting.format_signed(gain['high'])}"
    counts = "/".join(str(gain.get(k, "–")) for k in ("won", "lost", "tied"))
    return [*base, formatting.format_signed(gain["difference"]), interval, counts]


def format_interval_bar(value: Mapping[str, float], scale: tuple[float, float], width: int = BAR_WIDTH) -> str:
    """Return a mean with its interval on a scale (lowest, highest), such as `    ├──●──┤   `."""
    bottom, top = scale
    step = (width - 1) / (top - bottom) if top > bottom else 0.0  # columns per unit
    low, mean, high = (round((value[k] - bottom) * step) for k in ("low", "mean", "high"))
    line = [" "] * width
    line[low : high + 1] = "─" * (high - low + 1)
    line[low], line[high] = ("├", "┤") if high > low else ("│", "│")
    line[mean] = "●"  # last, so that it stays visible on a narrow interval
    return "".join(line)


def _format_bundle_lines(evidence: RunOutputs) -> list[str]:
    folder = evidence.find_stage_folder("bundle")
    if folder is None:
        return []
    path = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return [
        f"{style_bold('bundle')}  {path}", f"{style_bold('report')}  factory report {evidence.run.id}",
        *_format_try_command(evidence),
    ]


def _format_try_command(evidence: RunOutputs) -> list[str]:
    """Return a `factory try` command with an example from the test rows; empty if the task has no query."""
    question = FrozenRowViewer(evidence).build_example_question()
    query = formatting.clean_line(question.pop("query", ""))
    line = f"factory try {evidence.run.name} --query {shlex.quote(query)}"
    for name, value in question.items():
        column = f"{name}={formatting.clean_line(formatting.format_text_or_json(value))}"
        line += f" --with {shlex.quote(column)}" if value else ""
    return [f"{style_bold('try')}     {line}"] if query else []
