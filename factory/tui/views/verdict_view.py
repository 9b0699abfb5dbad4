"""Should it ship, and why: contenders with their intervals, the gate's reasoning, slices, forgetting, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.evaluation.slices import Slice
from factory.runs.run_outputs import RunOutputs
from factory.tui import theme
from factory.tui.rich_text import Line, make_line, sanitise, wrap_text
from factory.tui.table import Column, Table, TableRow, make_row
from factory.views import formatting

CONTENDERS = (
    Column("contender", min_width=10, max_width=24),
    Column("score", align_right=True, min_width=6),
    Column("", drop_rank=2, min_width=28),
    Column("interval", drop_rank=4, min_width=14),
    Column("tuned gains", align_right=True, min_width=11),
    Column("interval of the gain", drop_rank=3, min_width=20),
    Column("won/lost/tied", drop_rank=5, align_right=True, min_width=13),
    Column("", drop_rank=1, min_width=18),
)
SLICES = (
    Column("slice", min_width=32, max_width=44),
    Column("rows", align_right=True, drop_rank=3, min_width=4),
    Column("tuned", align_right=True, min_width=5),
    Column("other", align_right=True, drop_rank=1, min_width=5),
    Column("gain", align_right=True, min_width=6),
    Column("", drop_rank=4, min_width=25),
    Column("interval", drop_rank=5, min_width=16),
    Column("", min_width=18),
)
SUITES = (
    Column("suite", min_width=8, max_width=24),
    Column("items", align_right=True, drop_rank=3, min_width=5),
    Column("base", align_right=True, drop_rank=2, min_width=5),
    Column("tuned", align_right=True, drop_rank=2, min_width=5),
    Column("change", align_right=True, min_width=6),
    Column("interval", drop_rank=1, min_width=16),
    Column("", min_width=26, max_width=44),
)
COSTS = (
    Column("contender", min_width=10, max_width=24),
    Column("rows", align_right=True, drop_rank=3, min_width=4),
    Column("took", align_right=True, min_width=11),
    Column("a row", align_right=True, min_width=8),
    Column("memory", align_right=True, drop_rank=2, min_width=9),
    Column("what it chose and spent", drop_rank=1, min_width=14, max_width=100),
)
BARS = 28
SHORT = 60


def render_headline(evidence: RunOutputs, room: int) -> list[Line]:
    """The verdict, the sentence that says it, and what to do next."""
    gate, run = evidence.read_stage_json("gate"), evidence.run
    verdict = str(gate.get("verdict", ""))
    if not verdict:
        return [make_line(theme.format_run_state(run.state), "  no verdict yet: the build did not reach its gate")]
    sign, word, tone = theme.VERDICT_SIGNS.get(verdict, ("?", verdict, "warn"))
    found = [make_line((f"{sign} {word.upper()}", tone), "  ", (sanitise(run.name), "strong"), (f"  {run.id}", "dim"))]
    found += wrap_text(sanitise(formatting.describe_verdict(gate, run.task)), room)
    if formatting.describe_next_step(gate):
        found += wrap_text(sanitise(formatting.describe_next_step(gate)), room, "warn")
    if evidence.find_stage_folder("bundle") is None and run.verdict:
        found += wrap_text(
            "The bundle is no longer in the store; run the same build command to rebuild it.", room, "warn"
        )
    return found


def build_contenders_table(evidence: RunOutputs) -> Table:
    """Every contender in the deciding metric, the best first, on one scale; and what tuned gains over it."""
    gate, score = evidence.read_stage_json("gate"), evidence.read_stage_json("score")
    metric = str(gate.get("metric") or score.get("primary") or "")
    found = {c: values[metric] for c, values in score.get("contenders", {}).items() if metric in values}
    if not found:
        return Table(CONTENDERS, (), "no scores yet")
    higher = all(m.get("higher_is_better", True) for m in score.get("metrics", []) if m.get("name") == metric)
    scale = formatting.compute_scale([(v["low"], v["high"]) for v in found.values()])
    gains = {c["baseline"]: c for c in gate.get("comparisons", [])}
    order = sorted(found, key=lambda c: found[c]["mean"], reverse=higher)
    margin = float(gate.get("margin", 0.0))
    return Table(CONTENDERS, tuple(_make_contender_row(c, found[c], gains.get(c), scale, margin) for c in order))


def _make_contender_row(
    name: str, value: Mapping[str, float], gain: Mapping[str, Any] | None, scale: tuple[float, float], margin: float
) -> TableRow:
    picture = theme.render_interval(value["low"], value["mean"], value["high"], scale, BARS).replace("┊", " ")
    mine = gain is None
    span = f"{formatting.format_number(value['low'])} to {formatting.format_number(value['high'])}"
    cells: list[Line | str] = [
        make_line((sanitise(name), "strong" if mine else "")),
        make_line((formatting.format_number(value["mean"]), "strong")),
        make_line((picture, "accent" if mine else "dim")),
        make_line((span, "dim")),
    ]
    values: list[Any] = [name, value["mean"], "", span]
    if gain is None:
        return make_row(name, *cells, "", "", "", "", values=[*values, None, "", "", ""])
    word, tone = _describe_gain(gain, margin)
    counts = "/".join(str(gain.get(k, "–")) for k in ("won", "lost", "tied"))
    between = f"{formatting.format_signed(gain['low'])} to {formatting.format_signed(gain['high'])}"
    cells += [
        make_line((formatting.format_signed(gain["difference"]), tone)),
        make_line((between, "dim")),
        make_line((counts, "dim")),
        make_line((word, tone)),
    ]
    return make_row(name, *cells, values=[*values, gain["difference"], between, counts, word])


def _describe_gain(gain: Mapping[str, Any], margin: float) -> tuple[str, str]:
    """What an interval says about the margin, in words."""
    if gain["low"] > margin:
        return "▲ tuned is better", "good"
    if gain["high"] < min(0.0, margin):
        return "▼ tuned is worse", "bad"
    return ("▼ below the margin", "bad") if gain["high"] <= margin else ("= within the noise", "warn")


def render_reasons(evidence: RunOutputs, room: int) -> list[Line]:
    """The gate's rule and its reasons in words."""
    gate = evidence.read_stage_json("gate")
    if not gate.get("comparisons"):
        return [make_line(("the gate made no comparisons", "dim"))]
    share, margin = formatting.format_percent(gate.get("confidence", 0.95)), float(gate.get("margin", 0.0))
    bound = f"a margin of {formatting.format_number(margin)}" if margin else "zero"
    rule = f"It ships when the lower end of the {share} interval of its gain over every other lies above {bound}."
    found = wrap_text(rule, room, "dim")
    for reason in gate.get("reasons", []):
        found += wrap_text(sanitise(reason), room, "", "• ")
    ceiling = gate.get("ceiling")
    if isinstance(ceiling, int | float):
        found += wrap_text(
            f"No answer to these rows could score above {formatting.format_number(ceiling)}.", room, "", "• "
        )
    return found


def build_slices_table(found: Sequence[Slice] | None, confidence: float, other: str) -> Table:
    """Parts of the test set; what got worse comes first."""
    if found is None:
        return Table(SLICES, (), "computing slices …")
    most = max([abs(v) for s in found for v in (s.low, s.high)] or [1.0])
    order = sorted(found, key=lambda s: (s.difference >= 0 or s.p > 1 - confidence, s.difference))
    rows = tuple(_make_slice_row(each, confidence, most) for each in order)
    return Table(
        SLICES, rows, f"this task has no slices to compare with {sanitise(other)}" if other else "nothing to compare"
    )


def _make_slice_row(each: Slice, confidence: float, most: float) -> TableRow:
    clear = each.p <= 1 - confidence
    tone = ("good" if each.difference > 0 else "bad") if clear else "dim"
    word = ("▲ better" if each.difference > 0 else "▼ worse") if clear else "= within the noise"
    span = f"{formatting.format_signed(each.low)} to {formatting.format_signed(each.high)}"
    name = f"{each.slice}: {each.value}"
    cells = (
        sanitise(name),
        str(each.n),
        formatting.format_number(each.mean_a),
        formatting.format_number(each.mean_b),
        make_line((formatting.format_signed(each.difference), tone)),
        make_line((theme.render_interval(each.low, each.difference, each.high, (-most, most), 25), tone)),
        make_line((span, "dim")),
        make_line((word, tone)),
    )
    return make_row(name, *cells, values=(name, each.n, each.mean_a, each.mean_b, each.difference, "", span, word))


def build_forgetting_table(evidence: RunOutputs) -> Table:
    """Return the forgetting probes: general suites before and after training."""
    probes = evidence.read_stage_json("gate").get("probes", [])
    rows = [
        _make_suite_row(suite, float(probe.get("tolerance", 0.0)))
        for probe in probes
        for suite in probe.get("suites", [])
    ]
    return Table(SUITES, tuple(rows), "forgetting was not measured; add `general` to `evaluate`")


def _make_suite_row(suite: Mapping[str, Any], tolerance: float) -> TableRow:
    fell = suite["high"] < -tolerance
    word, tone = ("▼ forgot", "bad") if fell else (f"✓ no fall of {formatting.format_number(tolerance, 2)}", "good")
    if not fell and suite["low"] < -tolerance:
        word, tone = f"? a fall of {formatting.format_number(tolerance, 2)} is possible", "warn"
    span = f"{formatting.format_signed(suite['low'])} to {formatting.format_signed(suite['high'])}"
    cells = (
        sanitise(suite["suite"]),
        str(suite["n"]),
        formatting.format_number(suite["base"]),
        formatting.format_number(suite["tuned"]),
        make_line((formatting.format_signed(suite["difference"]), tone)),
        make_line((span, "dim")),
        make_line((word, tone)),
    )
    values = (suite["suite"], suite["n"], suite["base"], suite["tuned"], suite["difference"], span, word)
    return make_row(str(suite["suite"]), *cells, values=values)


def build_costs_table(evidence: RunOutputs) -> Table:
    """What answering took of each contender: time in all and a row, memory, tokens, money."""
    return Table(COSTS, tuple(_make_cost_row(evidence, name) for name in evidence.list_contenders()), "no answers yet")


def _make_cost_row(evidence: RunOutputs, name: str) -> TableRow:
    stage = f"answer[{name}]"
    made, told = evidence.read_stage_meta(stage), evidence.read_stage_json(stage)
    rows, seconds, peak = told.get("rows"), made.get("seconds"), made.get("peak_mib")
    each = seconds / rows if seconds and rows else None
    spent = ", ".join(
        f"{sanitise(k).replace('_', ' ')} {_format_fact(v)}"
        for k, v in (told.get("facts") or {}).items()
        if not isinstance(v, list | dict)
    )
    cells = (
        sanitise(name),
        str(rows or ""),
        formatting.format_seconds(seconds) if seconds else "",
        _format_row_time(each),
        formatting.format_bytes(peak * 2**20) if peak else "",
        make_line((spent, "dim")),
    )
    return make_row(name, *cells, values=(name, rows, seconds, each, peak, spent))


def _format_row_time(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value * 1000:.1f} ms" if value < 1 else formatting.format_seconds(value)


def _format_fact(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else sanitise(value, SHORT)


def to_json(evidence: RunOutputs, found: Sequence[Slice] | None) -> dict[str, Any]:
    """The verdict as data."""
    from dataclasses import asdict

    score = evidence.read_stage_json("score")
    return {
        **evidence.run.summarise_run(),
        "gate": evidence.read_stage_json("gate"),
        "contenders": score.get("contenders", {}),
        "totals": score.get("totals", {}),
        "tables": score.get("tables", {}),
        "slices": [asdict(each) for each in found or ()],
        "costs": build_costs_table(evidence).to_dicts(),
    }
