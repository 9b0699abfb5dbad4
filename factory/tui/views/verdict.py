"""Should it ship, and why: contenders with their intervals, the gate's reasoning, slices, forgetting, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.evaluation.slices import Slice
from factory.runs.run_outputs import RunOutputs
from factory.tui import look
from factory.tui.grid import Column, Grid, Record, record
from factory.tui.lines import Line, line, safe, wrapped
from factory.views import formatting

CONTENDERS = (
    Column("contender", least=10, most=24),
    Column("score", right=True, least=6),
    Column("", rank=2, least=28),
    Column("interval", rank=4, least=14),
    Column("tuned gains", right=True, least=11),
    Column("interval of the gain", rank=3, least=20),
    Column("won/lost/tied", rank=5, right=True, least=13),
    Column("", rank=1, least=18),
)
SLICES = (
    Column("slice", least=32, most=44),
    Column("rows", right=True, rank=3, least=4),
    Column("tuned", right=True, least=5),
    Column("other", right=True, rank=1, least=5),
    Column("gain", right=True, least=6),
    Column("", rank=4, least=25),
    Column("interval", rank=5, least=16),
    Column("", least=18),
)
SUITES = (
    Column("suite", least=8, most=24),
    Column("items", right=True, rank=3, least=5),
    Column("base", right=True, rank=2, least=5),
    Column("tuned", right=True, rank=2, least=5),
    Column("change", right=True, least=6),
    Column("interval", rank=1, least=16),
    Column("", least=26, most=44),
)
COSTS = (
    Column("contender", least=10, most=24),
    Column("rows", right=True, rank=3, least=4),
    Column("took", right=True, least=11),
    Column("a row", right=True, least=8),
    Column("memory", right=True, rank=2, least=9),
    Column("what it chose and spent", rank=1, least=14, most=100),
)
BARS = 28
SHORT = 60


def headline(evidence: RunOutputs, room: int) -> list[Line]:
    """The verdict, the sentence that says it, and what to do next."""
    gate, run = evidence.read_stage_json("gate"), evidence.run
    verdict = str(gate.get("verdict", ""))
    if not verdict:
        return [line(look.state(run.state), "  no verdict yet: the build did not reach its gate")]
    sign, word, tone = look.VERDICTS.get(verdict, ("?", verdict, "warn"))
    found = [line((f"{sign} {word.upper()}", tone), "  ", (safe(run.name), "strong"), (f"  {run.id}", "dim"))]
    found += wrapped(safe(formatting.describe_verdict(gate, run.task)), room)
    if formatting.describe_next_step(gate):
        found += wrapped(safe(formatting.describe_next_step(gate)), room, "warn")
    if evidence.find_stage_folder("bundle") is None and run.verdict:
        found += wrapped(
            "The bundle is not in the store any more; the same build command makes it again.", room, "warn"
        )
    return found


def contenders(evidence: RunOutputs) -> Grid:
    """Every contender in the deciding metric, the best first, on one scale; and what tuned gains over it."""
    gate, score = evidence.read_stage_json("gate"), evidence.read_stage_json("score")
    metric = str(gate.get("metric") or score.get("primary") or "")
    found = {c: values[metric] for c, values in score.get("contenders", {}).items() if metric in values}
    if not found:
        return Grid(CONTENDERS, (), "nothing was scored yet")
    higher = all(m.get("higher_is_better", True) for m in score.get("metrics", []) if m.get("name") == metric)
    scale = formatting.compute_scale([(v["low"], v["high"]) for v in found.values()])
    gains = {c["baseline"]: c for c in gate.get("comparisons", [])}
    order = sorted(found, key=lambda c: found[c]["mean"], reverse=higher)
    margin = float(gate.get("margin", 0.0))
    return Grid(CONTENDERS, tuple(_contender(c, found[c], gains.get(c), scale, margin) for c in order))


def _contender(
    name: str, value: Mapping[str, float], gain: Mapping[str, Any] | None, scale: tuple[float, float], margin: float
) -> Record:
    picture = look.interval(value["low"], value["mean"], value["high"], scale, BARS).replace("┊", " ")
    mine = gain is None
    span = f"{formatting.format_number(value['low'])} to {formatting.format_number(value['high'])}"
    cells: list[Line | str] = [
        line((safe(name), "strong" if mine else "")),
        line((formatting.format_number(value["mean"]), "strong")),
        line((picture, "accent" if mine else "dim")),
        line((span, "dim")),
    ]
    values: list[Any] = [name, value["mean"], "", span]
    if gain is None:
        return record(name, *cells, "", "", "", "", values=[*values, None, "", "", ""])
    word, tone = _settled(gain, margin)
    counts = "/".join(str(gain.get(k, "–")) for k in ("won", "lost", "tied"))
    between = f"{formatting.format_signed(gain['low'])} to {formatting.format_signed(gain['high'])}"
    cells += [
        line((formatting.format_signed(gain["difference"]), tone)),
        line((between, "dim")),
        line((counts, "dim")),
        line((word, tone)),
    ]
    return record(name, *cells, values=[*values, gain["difference"], between, counts, word])


def _settled(gain: Mapping[str, Any], margin: float) -> tuple[str, str]:
    """What an interval says about the margin, in words."""
    if gain["low"] > margin:
        return "▲ tuned is better", "good"
    if gain["high"] < min(0.0, margin):
        return "▼ tuned is worse", "bad"
    return ("▼ below the margin", "bad") if gain["high"] <= margin else ("= within the noise", "warn")


def reasoning(evidence: RunOutputs, room: int) -> list[Line]:
    """The gate's rule and its reasons in words."""
    gate = evidence.read_stage_json("gate")
    if not gate.get("comparisons"):
        return [line(("the gate compared nothing", "dim"))]
    share, margin = formatting.format_percent(gate.get("confidence", 0.95)), float(gate.get("margin", 0.0))
    bound = f"a margin of {formatting.format_number(margin)}" if margin else "zero"
    rule = f"It ships when the lower end of the {share} interval of its gain over every other lies above {bound}."
    found = wrapped(rule, room, "dim")
    for reason in gate.get("reasons", []):
        found += wrapped(safe(reason), room, "", "• ")
    ceiling = gate.get("ceiling")
    if isinstance(ceiling, int | float):
        found += wrapped(f"No answer to these rows could score above {formatting.format_number(ceiling)}.", room, "", "• ")
    return found


def slices(found: Sequence[Slice] | None, confidence: float, other: str) -> Grid:
    """Parts of the test set; what got worse comes first."""
    if found is None:
        return Grid(SLICES, (), "working the slices out …")
    most = max([abs(v) for s in found for v in (s.low, s.high)] or [1.0])
    order = sorted(found, key=lambda s: (s.difference >= 0 or s.p > 1 - confidence, s.difference))
    rows = tuple(_slice(each, confidence, most) for each in order)
    return Grid(
        SLICES, rows, f"this task has no slices to hold against {safe(other)}" if other else "nothing to compare"
    )


def _slice(each: Slice, confidence: float, most: float) -> Record:
    clear = each.p <= 1 - confidence
    tone = ("good" if each.difference > 0 else "bad") if clear else "dim"
    word = ("▲ better" if each.difference > 0 else "▼ worse") if clear else "= within the noise"
    span = f"{formatting.format_signed(each.low)} to {formatting.format_signed(each.high)}"
    name = f"{each.slice}: {each.value}"
    cells = (
        safe(name),
        str(each.n),
        formatting.format_number(each.mean_a),
        formatting.format_number(each.mean_b),
        line((formatting.format_signed(each.difference), tone)),
        line((look.interval(each.low, each.difference, each.high, (-most, most), 25), tone)),
        line((span, "dim")),
        line((word, tone)),
    )
    return record(name, *cells, values=(name, each.n, each.mean_a, each.mean_b, each.difference, "", span, word))


def forgetting(evidence: RunOutputs) -> Grid:
    """What training did to what nobody trained for."""
    probes = evidence.read_stage_json("gate").get("probes", [])
    rows = [_suite(suite, float(probe.get("tolerance", 0.0))) for probe in probes for suite in probe.get("suites", [])]
    return Grid(SUITES, tuple(rows), "nobody asked what training cost elsewhere; `evaluate: [.., general]` would")


def _suite(suite: Mapping[str, Any], tolerance: float) -> Record:
    fell = suite["high"] < -tolerance
    word, tone = ("▼ forgot", "bad") if fell else (f"✓ no fall of {formatting.format_number(tolerance, 2)}", "good")
    if not fell and suite["low"] < -tolerance:
        word, tone = f"? a fall of {formatting.format_number(tolerance, 2)} is possible", "warn"
    span = f"{formatting.format_signed(suite['low'])} to {formatting.format_signed(suite['high'])}"
    cells = (
        safe(suite["suite"]),
        str(suite["n"]),
        formatting.format_number(suite["base"]),
        formatting.format_number(suite["tuned"]),
        line((formatting.format_signed(suite["difference"]), tone)),
        line((span, "dim")),
        line((word, tone)),
    )
    values = (suite["suite"], suite["n"], suite["base"], suite["tuned"], suite["difference"], span, word)
    return record(str(suite["suite"]), *cells, values=values)


def costs(evidence: RunOutputs) -> Grid:
    """What answering took of each contender: time in all and a row, memory, tokens, money."""
    return Grid(COSTS, tuple(_cost(evidence, name) for name in evidence.list_contenders()), "nobody answered yet")


def _cost(evidence: RunOutputs, name: str) -> Record:
    stage = f"answer[{name}]"
    made, told = evidence.read_stage_meta(stage), evidence.read_stage_json(stage)
    rows, seconds, peak = told.get("rows"), made.get("seconds"), made.get("peak_mib")
    each = seconds / rows if seconds and rows else None
    spent = ", ".join(
        f"{safe(k).replace('_', ' ')} {_short(v)}"
        for k, v in (told.get("facts") or {}).items()
        if not isinstance(v, list | dict)
    )
    cells = (
        safe(name),
        str(rows or ""),
        formatting.format_seconds(seconds) if seconds else "",
        _brief(each),
        formatting.format_bytes(peak * 2**20) if peak else "",
        line((spent, "dim")),
    )
    return record(name, *cells, values=(name, rows, seconds, each, peak, spent))


def _brief(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value * 1000:.1f} ms" if value < 1 else formatting.format_seconds(value)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else safe(value, SHORT)


def facts(evidence: RunOutputs, found: Sequence[Slice] | None) -> dict[str, Any]:
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
        "costs": costs(evidence).json(),
    }
