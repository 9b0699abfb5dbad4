"""The result of a build as terminal text: verdict, contenders with intervals, and how to try the bundle."""

from __future__ import annotations

import json
import shlex
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory.cli import output
from factory.cli.output import format_table, style_bold, style_dim
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting

COLOURS = {
    formatting.SHIP: "green", formatting.NO_SHIP: "red", formatting.PROMPTING_IS_ENOUGH: "yellow",
    formatting.INSUFFICIENT_EVIDENCE: "yellow",
}
WIDTH = 100
BAR_WIDTH = 28
MAX_TOTAL_COLUMNS = 6
"""Maximum number of aggregate metrics shown side by side; the report has all."""


def build_run_summary(evidence: RunOutputs) -> dict[str, Any]:
    """Return the outcome of a run as JSON data."""
    run, gate = evidence.run, evidence.read_stage_json("gate")
    bundle = evidence.find_stage_folder("bundle")
    return {
        **run.summarise_run(), "exit_code": run.end.exit_code if run.end else None,
        "bundle": str(bundle) if bundle else "", "gate": gate,
        "contenders": evidence.read_stage_json("score").get("contenders", {}),
        "totals": evidence.read_stage_json("score").get("totals", {}),
    }


def format_verdict_panel(evidence: RunOutputs) -> str:
    """Return the verdict with its evidence as text; empty if the run did not reach a verdict."""
    gate = evidence.read_stage_json("gate")
    verdict = str(gate.get("verdict", ""))
    if not verdict:
        return ""
    badge = output.format_badge(f" {verdict} ", COLOURS.get(verdict, "white"))
    run, next_step = evidence.run, formatting.describe_next_step(gate)
    lines = [
        f"{badge} {style_bold(run.name)} {style_dim(run.id)}",
        _wrap_panel_text(formatting.describe_verdict(gate, run.task)),
        *([_wrap_panel_text(next_step)] if next_step else []),
        "", style_dim("contenders (baselines and candidates) on the held-out test rows (frozen)"),
        format_contenders_table(evidence), *_format_ceiling_line(gate), *_format_totals_table(evidence),
        *_format_probes_table(gate), "", *_format_gate_reasons(gate), *_format_bundle_lines(evidence),
    ]
    return "\n".join(lines)


def _format_ceiling_line(gate: Mapping[str, Any]) -> list[str]:
    """Return the upper bound of the metric on these rows, if the eval reports one."""
    ceiling = gate.get("ceiling")
    if not isinstance(ceiling, int | float):
        return []
    bound = formatting.format_number(ceiling)
    return [style_dim(f"upper bound on these rows: {bound}, the best score that their candidates allow")]


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
    rows = [
        [formatting.clean_line(suite["suite"]), str(suite["n"]), formatting.format_number(suite["base"]),
         formatting.format_number(suite["tuned"]), formatting.format_signed(suite["difference"]),
         f"{formatting.format_signed(suite['low'])} to {formatting.format_signed(suite['high'])}"]
        for probe in gate.get("probes", []) for suite in probe.get("suites", [])
    ]
    drift = [f"{name} {formatting.format_number(value)}" for probe in gate.get("probes", [])
             for name, value in probe.get("drift", {}).items()]
    if not rows:
        return []
    heads = ["general capability", "items", "base", "tuned", "change", "interval"]
    return ["", format_table(heads, rows, right=(1, 2, 3, 4)), *([style_dim(", ".join(drift))] if drift else [])]


def _wrap_panel_text(text: str) -> str:
    return textwrap.fill(formatting.clean_line(text), min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def _format_gate_reasons(gate: Mapping[str, Any]) -> list[str]:
    if gate.get("verdict") == formatting.SHIP or not gate.get("reasons"):
        return []
    reasons = [formatting.clean_line(reason) for reason in gate["reasons"]]
    return [*(textwrap.fill(r, WIDTH, initial_indent="- ", subsequent_indent="  ") for r in reasons), ""]


def format_contenders_table(evidence: RunOutputs) -> str:
    """Return a table of each contender's mean and interval on one scale, and the gain of tuned over it."""
    gate, score = evidence.read_stage_json("gate"), evidence.read_stage_json("score")
    metric = gate.get("metric") or next(iter(m["name"] for m in score.get("metrics", [])), "")
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
    step = (width - 1) / (top - bottom) if top > bottom else 0.0
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
    return [
        f"{style_bold('bundle')}  {_shorten_path(folder)}",
        f"{style_bold('report')}  factory report {evidence.run.id}", *_format_try_command(evidence),
    ]


def _shorten_path(path: Path) -> str:
    """Return the path relative to the current folder if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _format_try_command(evidence: RunOutputs) -> list[str]:
    """Return a `factory try` command with an example from the test rows; empty if the task has no query."""
    from factory.evaluation.compare import FrozenRowViewer

    question = FrozenRowViewer(evidence).build_example_question()
    query = formatting.clean_line(question.pop("query", ""))
    columns = [f"{name}={_format_option_value(value)}" for name, value in question.items() if value]
    options = [f"--with {shlex.quote(column)}" for column in columns]
    line = " ".join([f"factory try {evidence.run.name} --query {shlex.quote(query)}", *options])
    return [f"{style_bold('try')}     {line}"] if query else []


def _format_option_value(value: Any) -> str:
    return formatting.clean_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
