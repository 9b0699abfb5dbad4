"""The further tables of a verdict page: metrics over all rows, slices and forgetting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from factory.evaluation.paired_tests import MIN_EFFECTIVE_GROUPS
from factory.evaluation.reasons import SuiteChange
from factory.evaluation.slices import Slice
from factory.events import Verdict
from factory.views import formatting
from factory.views.curves import build_reliability_curve
from factory.views.elements import Cell, Column, Curve, Interval, Table, TableRow, Text, make_row

SUITE_COLUMNS = (
    Column("suite", min_width=8, max_width=24),
    Column("items", align_right=True, drop_rank=3, min_width=5),
    Column("base", align_right=True, drop_rank=2, min_width=5),
    Column("tuned", align_right=True, drop_rank=2, min_width=5),
    Column("change", align_right=True, min_width=6),
    Column("", drop_rank=4, min_width=21, key="change bar"),
    Column("interval", drop_rank=1, min_width=16),
    Column("", min_width=26, max_width=44, key="result"),
)


STEP_COLUMNS = (
    Column("step", min_width=16, max_width=30),
    Column("answers as", drop_rank=3, min_width=10),
    Column("gain", align_right=True, min_width=6),
    Column("", drop_rank=4, min_width=21, key="gain bar"),
    Column("interval", drop_rank=1, min_width=16),
    Column("over", drop_rank=2, min_width=8),
    Column("", min_width=14, max_width=44, key="result"),
)
"""What each step of a training course was worth."""


def build_steps_table(gate: Mapping[str, Any]) -> Table:
    """Return what each step of a training course was worth: its gain over what the step before made, with interval."""
    steps = gate.get("steps", [])
    scale = formatting.compute_scale([(step["low"], step["high"]) for step in steps if "low" in step], 0.0)
    return Table(STEP_COLUMNS, tuple(_make_step_row(step, scale) for step in steps))


def _make_step_row(step: Mapping[str, Any], scale: tuple[float, float]) -> TableRow:
    name = f"{step['step']}: {step['objective']}"
    if "low" not in step:
        text = Text("not measured: the contender before it is not in the spec", "dim")
        return make_row(name, Text(name), Text(step["contender"]), *[Text("")] * 4, text)
    word, tone = describe_step_result(step)
    bounds = formatting.format_bounds(step["low"], step["high"])
    cells: tuple[Cell, ...] = (
        Text(name), Text(step["contender"], "dim"), Text(formatting.format_signed(step["difference"]), tone),
        Interval(step["low"], step["difference"], step["high"], scale, (0.0,), tone), Text(bounds, "dim"),
        Text(step["before"], "dim"), Text(word, tone),
    )
    values = (name, step["contender"], step["difference"], "", bounds, step["before"], word)
    return make_row(name, *cells, values=values)


def describe_step_result(step: Mapping[str, Any]) -> tuple[str, str]:
    """Return whether a step made the artifact better, and the tone."""
    if step["effective_groups"] < MIN_EFFECTIVE_GROUPS:
        return "? too few groups", "warn"
    if step["low"] > 0:
        return "▲ better", "good"
    return ("▼ worse", "bad") if step["high"] < 0 else ("= within the noise", "warn")


def build_totals_table(score: Mapping[str, Any]) -> Table:
    """Return the metrics over all rows together (no means over rows), a row per contender."""
    totals = {name: values for name, values in score.get("totals", {}).items() if values}
    metrics = list(dict.fromkeys(metric for values in totals.values() for metric in values))
    columns = [Column("contender", min_width=10)]
    columns += [
        Column(metric.replace("_", " "), align_right=True, drop_rank=i, min_width=6, key=metric)
        for i, metric in enumerate(metrics)
    ]
    rows = [
        make_row(
            name, Text(name), *(Text(formatting.format_number(values.get(metric))) for metric in metrics),
            values=[name, *(values.get(metric) for metric in metrics)],
        )
        for name, values in totals.items()
    ]
    return Table(tuple(columns), tuple(rows), "no metrics over all rows")


class MetricsTable(NamedTuple):
    """A table of the tuned contender, such as results by class, and the curve of its rows if they are such points."""

    title: str
    table: Table
    curve: Curve | None


def build_metrics_tables(score: Mapping[str, Any], tuned: str) -> tuple[MetricsTable, ...]:
    """Return the tables that the evaluations wrote about the tuned contender."""
    tables = score.get("tables", {}).get(tuned, {})
    return tuple(
        MetricsTable(f"{name.replace('_', ' ')} of {tuned}", build_records_table(lines), build_reliability_curve(lines))
        for name, lines in tables.items() if lines
    )


def build_records_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table with a column per key; columns that hold numbers only are aligned right."""
    keys = list(dict.fromkeys(key for record in records for key in record))
    columns = tuple(
        Column(
            key.replace("_", " "), all(isinstance(record.get(key), int | float) for record in records), drop_rank=i,
            min_width=5, key=key,
        )
        for i, key in enumerate(keys)
    )
    rows = [
        make_row(
            str(i), *(Text(formatting.format_record_value(record.get(key))) for key in keys),
            values=[record.get(key) for key in keys],
        )
        for i, record in enumerate(records)
    ]
    return Table(columns, tuple(rows))


def build_slices_table(slices: Sequence[Slice] | None, confidence: float, a: str, b: str) -> Table:
    """Return the slices of the test set on which `a` is compared with `b`, significant losses first.

    None stands for slices that are still being computed, and an empty `b` for a run without a comparison.
    """
    columns = (
        Column("slice", min_width=32, max_width=44),
        Column("rows", align_right=True, drop_rank=3, min_width=4),
        Column(a, align_right=True, min_width=5, max_width=24, key="a"),
        Column(b or "other", align_right=True, drop_rank=1, min_width=5, max_width=24, key="b"),
        Column(f"gain of {a}", align_right=True, min_width=6, key="gain"),
        Column("", drop_rank=4, min_width=25, key="gain bar"),
        Column("interval", drop_rank=5, min_width=16),
        Column("", min_width=18, key="result"),
    )
    if slices is None:
        return Table(columns, (), "computing slices …")
    largest = max([abs(v) for s in slices for v in (s.low, s.high)] or [1.0])
    # False sorts before True: slices with a significant loss come first.
    order = sorted(slices, key=lambda s: (s.difference >= 0 or s.p > 1 - confidence, s.difference))
    reason = f"no slices to compare with {b}" if b else "nothing to compare"
    return Table(columns, tuple(_make_slice_row(s, a, confidence, largest) for s in order), reason)


def _make_slice_row(result: Slice, a: str, confidence: float, scale: float) -> TableRow:
    word, tone = "= within the noise", "dim"
    # Tested at the level of the interval, so that both agree.
    if result.p <= 1 - confidence:
        word, tone = (f"▲ {a} is better", "good") if result.difference > 0 else (f"▼ {a} is worse", "bad")
    name, change = f"{result.slice}: {result.value}", (result.difference, result.low, result.high)
    return _make_change_row(name, result.n, (result.mean_a, result.mean_b), change, (-scale, scale), Text(word, tone))


def _make_change_row(
    name: str, n: int, means: tuple[float, float], change: tuple[float, float, float], scale: tuple[float, float],
    result: Text,
) -> TableRow:
    """Return the row of a part of the rows: two means and their difference, given with its interval's bounds."""
    difference, low, high = change
    bounds, tone = formatting.format_bounds(low, high), result.tone
    cells: tuple[Cell, ...] = (
        Text(name), Text(str(n)), *(Text(formatting.format_number(mean)) for mean in means),
        Text(formatting.format_signed(difference), tone), Interval(low, difference, high, scale, (0.0,), tone),
        Text(bounds, "dim"), result,
    )
    return make_row(name, *cells, values=(name, n, *means, difference, "", bounds, result.text))


def build_forgetting_table(probes: Sequence[Mapping[str, Any]]) -> Table:
    """Return the general suites before and after training, with whether a drop beyond the tolerance is likely."""
    suites = [(suite, float(probe.get("tolerance", 0.0))) for probe in probes for suite in probe.get("suites", [])]
    scale = formatting.compute_scale([(suite["low"], suite["high"]) for suite, _ in suites], 0.0)
    rows = tuple(_make_suite_row(suite, tolerance, scale) for suite, tolerance in suites)
    return Table(SUITE_COLUMNS, rows, "forgetting was not measured; add `general` to `evaluate`")


def _make_suite_row(suite: Mapping[str, Any], tolerance: float, scale: tuple[float, float]) -> TableRow:
    limit, fall = formatting.format_number(tolerance, 2), SuiteChange.from_json(suite, tolerance)
    word, tone = f"✓ no drop of {limit}", "good"
    if fall.has_fallen:
        word, tone = "▼ forgot", "bad"
    elif not fall.holds:
        word, tone = f"? a drop of {limit} is possible", "warn"
    means, change = (suite["base"], suite["tuned"]), (suite["difference"], suite["low"], suite["high"])
    return _make_change_row(str(suite["suite"]), suite["n"], means, change, scale, Text(word, tone))


def describe_forgetting_rule(probes: Sequence[Mapping[str, Any]]) -> str:
    """Return which drop on the general suites blocks shipping; empty without probes."""
    limits = ", ".join(formatting.format_number(probe["tolerance"]) for probe in probes)
    falls = ", ".join(
        f"{formatting.format_number(suite['smallest_fall'])} on {suite['suite']}"
        for probe in probes for suite in probe.get("suites", []) if "smallest_fall" in suite
    )
    visible = f" The smallest drop that four of five such builds would see is {falls}." if falls else ""
    rule = (
        f"Base and tuned model answered the same items. To ship, the interval must exclude a drop of {limits}; a "
        f"significant drop of more than {limits} leads to {Verdict.NO_SHIP.facts.title}.{visible}"
    )
    return rule if limits else ""


def describe_drift(probes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return each measure of how far the tuned model drifted from its base, such as `perplexity ratio 1.020`."""
    drifts = [item for probe in probes for item in probe.get("drift", {}).items()]
    return tuple(f"{name} {formatting.format_number(value)}" for name, value in drifts)
