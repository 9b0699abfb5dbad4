"""The Verdict screen: contenders with their intervals, the gate's reasons, slices, forgetting and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from factory.evaluation.slices import Slice
from factory.runs.run_outputs import RunOutputs
from factory.tui import theme
from factory.tui.rich_text import Line, make_line, sanitise, wrap_text
from factory.tui.table import Column, Table, TableRow, make_row
from factory.views import formatting

CONTENDER_COLUMNS = (
    Column("contender", min_width=10, max_width=24),
    Column("score", align_right=True, min_width=6),
    Column("", drop_rank=2, min_width=28),
    Column("interval", drop_rank=4, min_width=14),
    Column("gain of tuned", align_right=True, min_width=13),
    Column("interval of the gain", drop_rank=3, min_width=20),
    Column("won/lost/tied", drop_rank=5, align_right=True, min_width=13),
    Column("", drop_rank=1, min_width=18),
)
SLICE_COLUMNS = (
    Column("slice", min_width=32, max_width=44),
    Column("rows", align_right=True, drop_rank=3, min_width=4),
    Column("tuned", align_right=True, min_width=5),
    Column("other", align_right=True, drop_rank=1, min_width=5),
    Column("gain", align_right=True, min_width=6),
    Column("", drop_rank=4, min_width=25),
    Column("interval", drop_rank=5, min_width=16),
    Column("", min_width=18),
)
SUITE_COLUMNS = (
    Column("suite", min_width=8, max_width=24),
    Column("items", align_right=True, drop_rank=3, min_width=5),
    Column("base", align_right=True, drop_rank=2, min_width=5),
    Column("tuned", align_right=True, drop_rank=2, min_width=5),
    Column("change", align_right=True, min_width=6),
    Column("interval", drop_rank=1, min_width=16),
    Column("", min_width=26, max_width=44),
)
COST_COLUMNS = (
    Column("contender", min_width=10, max_width=24),
    Column("rows", align_right=True, drop_rank=3, min_width=4),
    Column("took", align_right=True, min_width=11),
    Column("a row", align_right=True, min_width=8),
    Column("memory", align_right=True, drop_rank=2, min_width=9),
    Column("what it chose and spent", drop_rank=1, min_width=14, max_width=100),
)
SCORE_BAR_WIDTH, SLICE_BAR_WIDTH = 28, 25
MAX_FACT_WIDTH = 60
BUNDLE_REMOVED = "The bundle is no longer in the store; run the same build command to rebuild it."


def render_headline(outputs: RunOutputs, width: int) -> list[Line]:
    """Return the verdict, its explanation in one sentence, and what to do next."""
    gate, run = outputs.read_gate(), outputs.run
    verdict = str(gate.get("verdict", ""))
    if not verdict:
        return [make_line(theme.format_run_state(run.state), "  no verdict yet: the build has not reached its gate")]
    badge, tone = theme.format_verdict(verdict)
    lines = [make_line((badge.upper(), tone), "  ", (sanitise(run.name), "strong"), (f"  {run.id}", "dim"))]
    lines += wrap_text(sanitise(formatting.describe_verdict(gate, run.task)), width)
    next_step = formatting.describe_next_step(gate)
    if next_step:
        lines += wrap_text(sanitise(next_step), width, "warn")
    if outputs.find_stage_folder("bundle") is None and run.verdict:
        lines += wrap_text(BUNDLE_REMOVED, width, "warn")
    return lines


def build_contenders_table(outputs: RunOutputs) -> Table:
    """Return the contenders by the deciding metric, best first, on one scale, and what tuned gains over each."""
    gate, score = outputs.read_gate(), outputs.read_stage_json("score")
    metric = str(gate.get("metric") or score.get("primary") or "")
    scores = {c: values[metric] for c, values in score.get("contenders", {}).items() if metric in values}
    if not scores:
        return Table(CONTENDER_COLUMNS, (), "no scores yet")
    higher = all(m.get("higher_is_better", True) for m in score.get("metrics", []) if m.get("name") == metric)
    scale = formatting.compute_scale([(v["low"], v["high"]) for v in scores.values()])
    gains = {c["baseline"]: c for c in gate.get("comparisons", [])}
    order = sorted(scores, key=lambda c: scores[c]["mean"], reverse=higher)
    margin = float(gate.get("margin", 0.0))
    rows = tuple(_make_contender_row(c, scores[c], gains.get(c), scale, margin) for c in order)
    return Table(CONTENDER_COLUMNS, rows)


def _make_contender_row(
    name: str, value: Mapping[str, float], gain: Mapping[str, Any] | None, scale: tuple[float, float], margin: float
) -> TableRow:
    # The gate compares tuned with every other contender: only tuned itself has no gain.
    is_tuned = gain is None
    drawing = theme.render_interval(value["low"], value["mean"], value["high"], scale, SCORE_BAR_WIDTH)
    interval = f"{formatting.format_number(value['low'])} to {formatting.format_number(value['high'])}"
    cells: list[Line | str] = [
        make_line((sanitise(name), "strong" if is_tuned else "")),
        make_line((formatting.format_number(value["mean"]), "strong")),
        make_line((drawing.replace("┊", " "), "accent" if is_tuned else "dim")),
        make_line((interval, "dim")),
    ]
    values: list[Any] = [name, value["mean"], "", interval]
    if gain is None:
        return make_row(name, *cells, "", "", "", "", values=[*values, None, "", "", ""])
    word, tone = _describe_gain(gain, margin)
    counts = "/".join(str(gain.get(k, "–")) for k in ("won", "lost", "tied"))
    gain_interval = _format_interval(gain["low"], gain["high"])
    cells += [
        make_line((formatting.format_signed(gain["difference"]), tone)),
        make_line((gain_interval, "dim")),
        make_line((counts, "dim")),
        make_line((word, tone)),
    ]
    return make_row(name, *cells, values=[*values, gain["difference"], gain_interval, counts, word])


def _format_interval(low: object, high: object) -> str:
    return f"{formatting.format_signed(low)} to {formatting.format_signed(high)}"


def _describe_gain(gain: Mapping[str, Any], margin: float) -> tuple[str, str]:
    """Return where the interval of a gain lies relative to the margin, and its tone."""
    if gain["low"] > margin:
        return "▲ tuned is better", "good"
    if gain["high"] < min(0.0, margin):
        return "▼ tuned is worse", "bad"
    return ("▼ below the margin", "bad") if gain["high"] <= margin else ("= within the noise", "warn")


def render_reasons(outputs: RunOutputs, width: int) -> list[Line]:
    """Return the gate's rule and the reasons of its verdict."""
    gate = outputs.read_gate()
    if not gate.get("comparisons"):
        return [make_line(("the gate made no comparisons", "dim"))]
    share, margin = formatting.format_percent(gate.get("confidence", 0.95)), float(gate.get("margin", 0.0))
    bound = f"a margin of {formatting.format_number(margin)}" if margin else "zero"
    rule = f"tuned ships if the {share} interval of its gain over every other contender lies above {bound}."
    reasons, ceiling = list(gate.get("reasons", [])), gate.get("ceiling")
    if isinstance(ceiling, int | float):
        reasons.append(f"the highest possible score on these rows is {formatting.format_number(ceiling)}")
    lines = wrap_text(rule, width, "dim")
    for reason in reasons:
        lines += wrap_text(sanitise(reason), width, "", "• ")
    return lines


def build_slices_table(slices: Sequence[Slice] | None, confidence: float, other: str) -> Table:
    """Return the slices of the test set, significant losses first; None while they are computed."""
    if slices is None:
        return Table(SLICE_COLUMNS, (), "computing slices …")
    largest = max([abs(v) for s in slices for v in (s.low, s.high)] or [1.0])
    # False sorts before True: slices with a significant loss come first.
    order = sorted(slices, key=lambda s: (s.difference >= 0 or s.p > 1 - confidence, s.difference))
    reason = f"no slices to compare with {sanitise(other)}" if other else "nothing to compare"
    return Table(SLICE_COLUMNS, tuple(_make_slice_row(s, confidence, largest) for s in order), reason)


def _make_slice_row(result: Slice, confidence: float, scale: float) -> TableRow:
    word, tone = "= within the noise", "dim"
    if result.p <= 1 - confidence:
        word, tone = ("▲ better", "good") if result.difference > 0 else ("▼ worse", "bad")
    drawing = theme.render_interval(result.low, result.difference, result.high, (-scale, scale), SLICE_BAR_WIDTH)
    interval = _format_interval(result.low, result.high)
    name = f"{result.slice}: {result.value}"
    cells = (
        sanitise(name),
        str(result.n),
        formatting.format_number(result.mean_a),
        formatting.format_number(result.mean_b),
        make_line((formatting.format_signed(result.difference), tone)),
        make_line((drawing, tone)),
        make_line((interval, "dim")),
        make_line((word, tone)),
    )
    values = (name, result.n, result.mean_a, result.mean_b, result.difference, "", interval, word)
    return make_row(name, *cells, values=values)


def build_forgetting_table(outputs: RunOutputs) -> Table:
    """Return the forgetting probes: general suites before and after training."""
    rows = [
        _make_suite_row(suite, float(probe.get("tolerance", 0.0)))
        for probe in outputs.read_gate().get("probes", [])
        for suite in probe.get("suites", [])
    ]
    return Table(SUITE_COLUMNS, tuple(rows), "forgetting was not measured; add `general` to `evaluate`")


def _make_suite_row(suite: Mapping[str, Any], tolerance: float) -> TableRow:
    limit = formatting.format_number(tolerance, 2)
    word, tone = f"✓ no drop of {limit}", "good"
    if suite["high"] < -tolerance:
        word, tone = "▼ forgot", "bad"
    elif suite["low"] < -tolerance:
        word, tone = f"? a drop of {limit} is possible", "warn"
    interval = _format_interval(suite["low"], suite["high"])
    cells = (
        sanitise(suite["suite"]),
        str(suite["n"]),
        formatting.format_number(suite["base"]),
        formatting.format_number(suite["tuned"]),
        make_line((formatting.format_signed(suite["difference"]), tone)),
        make_line((interval, "dim")),
        make_line((word, tone)),
    )
    values = (suite["suite"], suite["n"], suite["base"], suite["tuned"], suite["difference"], interval, word)
    return make_row(str(suite["suite"]), *cells, values=values)


def build_costs_table(outputs: RunOutputs) -> Table:
    """Return what the answers of each contender cost: time in all and per row, memory, tokens, money."""
    rows = tuple(_make_cost_row(outputs, name) for name in outputs.list_contenders())
    return Table(COST_COLUMNS, rows, "no answers yet")


def _make_cost_row(outputs: RunOutputs, name: str) -> TableRow:
    stage = f"answer[{name}]"
    meta, answers = outputs.read_stage_meta(stage), outputs.read_stage_json(stage)
    rows, seconds, peak = answers.get("rows"), meta.get("seconds"), meta.get("peak_mib")
    per_row = seconds / rows if seconds and rows else None
    facts = [(key, value) for key, value in (answers.get("facts") or {}).items() if not isinstance(value, list | dict)]
    spent = ", ".join(f"{sanitise(key).replace('_', ' ')} {_format_fact(value)}" for key, value in facts)
    cells = (
        sanitise(name),
        str(rows or ""),
        formatting.format_seconds(seconds) if seconds else "",
        _format_row_time(per_row) if per_row is not None else "",
        formatting.format_bytes(peak * 2**20) if peak else "",
        make_line((spent, "dim")),
    )
    return make_row(name, *cells, values=(name, rows, seconds, per_row, peak, spent))


def _format_row_time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else formatting.format_seconds(seconds)


def _format_fact(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else sanitise(value, MAX_FACT_WIDTH)


def to_json(outputs: RunOutputs, slices: Sequence[Slice] | None) -> dict[str, Any]:
    """Return the verdict as JSON data."""
    score = outputs.read_stage_json("score")
    return {
        **outputs.run.summarise_run(),
        "gate": outputs.read_gate(),
        "contenders": score.get("contenders", {}),
        "totals": score.get("totals", {}),
        "tables": score.get("tables", {}),
        "slices": [asdict(result) for result in slices or ()],
        "costs": build_costs_table(outputs).to_dicts(),
    }
