"""The Run screen: the state of a run, its stages, progress, metrics and use of memory and CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from factory.plan.stage_kinds import find_stage_kind
from factory.runs.run_view import CACHED, DONE, FAILED, RUNNING, STOPPED, WAITING, RunView, StageView
from factory.tui.estimates import ProcessUsage, RemainingTime
from factory.tui.rich_text import Line, Span, make_line, sanitise, wrap_line, wrap_text
from factory.tui.run_watcher import RunWatcher
from factory.views import run_stages
from factory.views.cost import measure_stages
from factory.views.elements import Table, Text, make_row
from factory.views.formatting import format_bytes, format_count, format_seconds
from factory.views.signs import format_run_state, format_verdict, get_stage_sign


def render_heading(
    watcher: RunWatcher, view: RunView, now: float, remaining: RemainingTime | None = None, is_replay: bool = False
) -> list[Line]:
    """Return name, state, verdict and times of a run, its spec, and warnings about its journal."""
    state = ("◀ replay", "accent") if is_replay else format_run_state(view.state)
    verdict = format_verdict("" if is_replay else view.verdict)
    seconds = max(0.0, now - view.started) if is_replay else view.seconds
    elapsed = f"  {format_seconds(seconds)}" if view.started else ""
    left = f"  {remaining.text} left ({remaining.range_text})" if remaining else ""
    first = make_line((sanitise(view.name or view.id), "strong"), "  ", state, "  ", verdict, elapsed, (left, "run"))
    second = make_line((" · ".join(sanitise(p) for p in (view.task, view.profile, view.spec, view.id) if p), "dim"))
    return [first, second, *_render_journal_warnings(watcher)]


def _render_journal_warnings(watcher: RunWatcher) -> list[Line]:
    """Return why the screen may not show everything that happened."""
    follower, warnings = watcher.follower, []
    if follower.missing:
        warnings.append("the journal was deleted while it was shown")
    if follower.newer_version or watcher.unknown_events:
        kinds = ", ".join(f"{sanitise(kind) or 'untyped'} ×{count}" for kind, count in watcher.unknown_events.items())
        warnings.append(f"written by a newer version of factory{f'; unknown events: {kinds}' if kinds else ''}")
    if follower.torn:
        warnings.append("the last line is incomplete: the process died while writing it")
    if follower.invalid_lines:
        warnings.append(f"{format_count(follower.invalid_lines, 'invalid line')} skipped")
    return [make_line((f"! {text}", "warn")) for text in warnings]


def render_failures(view: RunView, width: int) -> list[Line]:
    """Return the full error messages of the failed stages."""
    lines: list[Line] = []
    for stage in view.stages.values():
        lines += wrap_text(sanitise(stage.error), width, "bad", f"✗ {sanitise(stage.name)}: ") if stage.error else []
    return lines


def build_stages_table(view: RunView, now: float) -> Table:
    """Return every stage with its sign; siblings such as `answer[…]` are joined by a rail."""
    table, names, rows = run_stages.build_stages_table(view, now).select(run_stages.LIST_COLUMNS), list(view.stages), []
    for i, (row, stage) in enumerate(zip(table.rows, view.stages.values(), strict=True)):
        name = (get_stage_sign(stage.state), *_make_stage_name(names, i, stage))
        rows.append(make_row(row.key, name, *row.cells[1:], values=row.values))
    return replace(table, rows=tuple(rows))


def _make_stage_name(names: Sequence[str], index: int, stage: StageView) -> tuple[Text, ...]:
    kind, _, instance = stage.name.partition("[")
    tone = {RUNNING: "strong", FAILED: "bad", WAITING: "dim", CACHED: "dim"}.get(stage.state, "")
    before = index > 0 and names[index - 1].startswith(f"{kind}[")
    after = index + 1 < len(names) and names[index + 1].startswith(f"{kind}[")
    rail = {(False, True): "┌", (True, True): "├", (True, False): "└"}.get((before, after), "")
    if not instance.rstrip("]") or not rail:
        return (Text(stage.name, tone),)
    return Text(f"{rail}{kind}", "dim"), Text(instance.rstrip("]"), tone)


def render_flow(view: RunView, width: int) -> list[Line]:
    """Return the order of the stages in a line or two: `✓ train → ✓ answer 4/4 → …`, siblings counted."""
    spans: list[Span] = []
    for kind, group in groupby(view.stages.values(), key=lambda stage: stage.name.partition("[")[0]):
        spans += [(" → ", "dim")] if spans else []
        spans += _render_siblings(kind, list(group))
    return wrap_line(make_line(*spans), width)


def _render_siblings(kind: str, stages: Sequence[StageView]) -> list[Span]:
    # The sign is that of an active or failed sibling, else of a waiting one: done means that all are done.
    active = next((s for s in stages if s.state in (RUNNING, FAILED, STOPPED)), None)
    stage = active or next((s for s in stages if s.state == WAITING), stages[0])
    sign, tone = get_stage_sign(stage.state)
    count = f" {sum(s.state in (DONE, CACHED) for s in stages)}/{len(stages)}" if len(stages) > 1 else ""
    # No-break spaces, here and in `render_measurements`, keep a label and its value on one line.
    return [(f"{sign}\u00a0", tone), (f"{sanitise(kind)}{count}", tone if stage.state in (RUNNING, FAILED) else "")]


def render_stage(view: RunView, name: str, width: int) -> list[Line]:
    """Return everything the journal holds of one stage: state, reason, times, key and configuration."""
    stage = view.stages.get(name)
    if stage is None:
        return [make_line(("no such stage", "dim"))]
    plan: dict[str, Any] = next((s for s in view.plan if s.get("name") == name), {})
    pairs = [
        ("purpose", find_stage_kind(name).title),
        ("state", stage.state),
        ("why it ran", stage.why),
        ("error", stage.error),
        ("inputs", ", ".join(map(str, (plan.get("inputs") or {}).values()))),
        ("took", format_seconds(stage.seconds) if stage.seconds else ""),
        ("CPU time", format_seconds(stage.cpu_seconds) if stage.cpu_seconds else ""),
        ("peak memory", format_bytes(stage.peak_mib * 2**20) if stage.peak_mib else ""),
        ("progress", f"{stage.done}/{stage.total or '?'} {stage.unit}" if stage.unit else ""),
        ("key", stage.key),
    ]
    lines = [make_line(get_stage_sign(stage.state), " ", (sanitise(name), "strong"))]
    for label, text in pairs:
        lines += wrap_text(sanitise(text), width, "bad" if label == "error" else "", f"{label:<12}") if text else []
    for label, value in (plan.get("config") or {}).items():
        if value not in (None, "", [], {}):
            lines += wrap_text(sanitise(value), width, "dim", f"{sanitise(label, 11):<12}")
    return lines


def render_measurements(
    watcher: RunWatcher, view: RunView, usage: ProcessUsage | None, at: float | None, width: int
) -> list[Line]:
    """Return the metrics at a moment (None: now), the speed of training, and the use of memory, CPU and GPU."""
    parts: list[tuple[str, str]] = []
    for name in watcher.list_metrics():
        value = watcher.series[watcher.training_stage, name].get_last(at)
        parts.append((name.replace("_", " "), f"{value:.4g}" if value is not None else "–"))
    train = view.stages.get(watcher.training_stage)
    if train is not None and train.rate > 0:
        # What takes longer than a second is shown as `12 s/step` instead of `0.1 steps/s`.
        unit = sanitise(train.unit)
        slow = f"{format_seconds(1 / train.rate)}/{unit.removesuffix('s')}"
        parts.append(("speed", f"{train.rate:.1f} {unit}/s" if train.rate >= 1 else slow))
    if usage is not None:
        parts += [("memory", format_bytes(usage.memory_bytes)), ("CPU time", format_seconds(usage.cpu_seconds))]
        parts += [("GPU", usage.gpu)] if usage.gpu else []
    else:
        cpu, peak = measure_stages(view)
        parts += [("peak memory", format_bytes(peak * 2**20))] if peak else []
        parts += [("CPU time", format_seconds(cpu))] if cpu else []
    spans: list[Span] = []
    for name, text in parts:
        spans += [(f"{name} ".replace(" ", "\u00a0"), "dim"), (text.replace(" ", "\u00a0") + "  ", "strong")]
    return wrap_line(make_line(*spans), width)


def to_json(watcher: RunWatcher, remaining: RemainingTime | None) -> dict[str, Any]:
    """Return the run as JSON data."""
    view = watcher.get_view()
    left = {"seconds": remaining.seconds, "least": remaining.low, "most": remaining.high} if remaining else None
    return {
        **view.summarise_run(),
        "started": view.started,
        "spec": view.spec,
        "stages": [stage.to_json() for stage in view.stages.values()],
        "measured": {name: watcher.get_curve(name) for name in watcher.list_metrics()},
        "left": left,
        "torn": watcher.follower.torn,
        "newer": watcher.follower.newer_version,
        "not_understood": watcher.unknown_events,
        "notes": [{"at": at, "stage": s, "level": level, "text": text} for at, s, level, text in watcher.notes],
    }
