"""The end of a build as text: the verdict in words, the contenders with their intervals, a line to try the bundle."""

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

COLOURS = {formatting.SHIP: "green", formatting.NO_SHIP: "red", formatting.PROMPTING_IS_ENOUGH: "yellow", formatting.INSUFFICIENT_EVIDENCE: "yellow"}
WIDTH = 100
BAR_WIDTH = 28
MAX_TOTAL_COLUMNS = 6
"""Columns of numbers of all rows together that fit beside each other; the report has all."""


def build_run_summary(evidence: RunOutputs) -> dict[str, Any]:
    """The outcome of a run as data."""
    run, gate = evidence.run, evidence.read_stage_json("gate")
    bundle = evidence.find_stage_folder("bundle")
    return {
        **run.summarise_run(),
        "exit_code": run.end.exit_code if run.end else None,
        "bundle": str(bundle) if bundle else "",
        "gate": gate,
        "contenders": evidence.read_stage_json("score").get("contenders", {}),
        "totals": evidence.read_stage_json("score").get("totals", {}),
    }


def format_verdict_panel(evidence: RunOutputs) -> str:
    """The verdict for a person; empty when the run did not reach one."""
    gate = evidence.read_stage_json("gate")
    verdict = str(gate.get("verdict", ""))
    if not verdict:
        return ""
    badge = output.format_badge(f" {verdict} ", COLOURS.get(verdict, "white"))
    run = evidence.run
    parts = [f"{badge} {style_bold(run.name)} {style_dim(run.id)}", _wrap_panel_text(formatting.describe_verdict(gate, run.task))]
    parts += [_wrap_panel_text(line) for line in (formatting.describe_next_step(gate),) if line]
    parts += ["", format_contenders_table(evidence), *_format_ceiling_line(gate), *_format_totals_table(evidence), *_format_probes_table(gate), ""]
    return "\n".join([*parts, *_format_gate_reasons(gate), *_format_bundle_lines(evidence)])


def _format_ceiling_line(gate: Mapping[str, Any]) -> list[str]:
    """What the rows allow at best, where the eval knows it."""
    ceiling = gate.get("ceiling")
    if not isinstance(ceiling, int | float):
        return []
    return [style_dim(f"no answer to these rows could score above {formatting.format_number(ceiling)}: their candidates end there")]


def _format_totals_table(evidence: RunOutputs) -> list[str]:
    """What is no mean of rows, a line a contender."""
    totals = {name: found for name, found in evidence.read_stage_json("score").get("totals", {}).items() if found}
    names = list(dict.fromkeys(each for found in totals.values() for each in found))[:MAX_TOTAL_COLUMNS]
    if not names:
        return []
    rows = [[formatting.clean_line(name), *(formatting.format_number(found.get(each, "")) for each in names)]
            for name, found in totals.items()]
    return ["", format_table(["contender", *names], rows, right=tuple(range(1, len(names) + 1)))]


def _format_probes_table(gate: Mapping[str, Any]) -> list[str]:
    """What training did to what nobody trained for."""
    rows = [
        [formatting.clean_line(suite["suite"]), str(suite["n"]), formatting.format_number(suite["base"]), formatting.format_number(suite["tuned"]),
         formatting.format_signed(suite["difference"]), f"{formatting.format_signed(suite['low'])} to {formatting.format_signed(suite['high'])}"]
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
    lines = [textwrap.fill(formatting.clean_line(r), WIDTH, initial_indent="- ", subsequent_indent="  ") for r in gate["reasons"]]
    return [*lines, ""] if lines else []


def format_contenders_table(evidence: RunOutputs) -> str:
    """A table: each contender's mean and interval, drawn on one scale, and what tuned gains over it."""
    gate, score = evidence.read_stage_json("gate"), evidence.read_stage_json("score")
    metric = gate.get("metric") or next(iter(m["name"] for m in score.get("metrics", [])), "")
    found = {c: values[metric] for c, values in score.get("contenders", {}).items() if metric in values}
    if not found:
        return ""
    gains = {c["baseline"]: c for c in gate.get("comparisons", [])}
    scale = formatting.compute_scale([(v["low"], v["high"]) for v in found.values()])
    order = sorted(found, key=lambda c: -found[c]["mean"])
    rows = [_build_contender_cells(name, found[name], gains.get(name), scale) for name in order]
    share = formatting.format_percent(gate.get("confidence", score.get("confidence", 0.95)))
    heads = ["contender", metric, f"{share} interval", "", "tuned gains", "interval", "won/lost/tied"]
    return format_table(heads, rows, right=(1, 4))


def _build_contender_cells(
    name: str, value: Mapping[str, float], gain: Mapping[str, Any] | None, scale: tuple[float, float]
) -> list[str]:
    span = f"{formatting.format_number(value['low'])} to {formatting.format_number(value['high'])}"
    base = [formatting.clean_line(name), formatting.format_number(value["mean"]), span, format_interval_bar(value, scale)]
    if gain is None:
        return [*base, "", "", ""]
    interval = f"{formatting.format_signed(gain['low'])} to {formatting.format_signed(gain['high'])}"
    return [
        *base,
        formatting.format_signed(gain["difference"]),
        interval,
        "/".join(str(gain.get(k, "–")) for k in ("won", "lost", "tied")),
    ]


def format_interval_bar(value: Mapping[str, float], scale: tuple[float, float], width: int = BAR_WIDTH) -> str:
    """`    ├──●──┤   `: a mean with its interval on a scale from lowest to highest."""
    bottom, top = scale
    step = (width - 1) / (top - bottom) if top > bottom else 0.0
    low, mean, high = (round((value[k] - bottom) * step) for k in ("low", "mean", "high"))
    line = [" "] * width
    line[low : high + 1] = "─" * (high - low + 1)
    line[low], line[high] = ("├", "┤") if high > low else ("│", "│")
    line[mean] = "●"
    return "".join(line)


def _format_bundle_lines(evidence: RunOutputs) -> list[str]:
    folder = evidence.find_stage_folder("bundle")
    if folder is None:
        return []
    return [
        f"{style_bold('bundle')}  {_shorten_path(folder)}",
        f"{style_bold('report')}  factory report {evidence.run.id}",
        *_format_try_command(evidence),
    ]


def _shorten_path(path: Path) -> str:
    """A path as one types it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _format_try_command(evidence: RunOutputs) -> list[str]:
    """One line that asks the specialist something it was tested on."""
    from factory.evaluation.compare import FrozenRowViewer

    asked = FrozenRowViewer(evidence).build_example_question()
    query = formatting.clean_line(asked.pop("query", ""))
    more = [f"--with {shlex.quote(f'{name}={_format_option_value(value)}')}" for name, value in asked.items() if value]
    told = " ".join([f"factory try {evidence.run.name} --query {shlex.quote(query)}", *more])
    return [f"{style_bold('try')}     {told}"] if query else []


def _format_option_value(value: Any) -> str:
    return formatting.clean_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
