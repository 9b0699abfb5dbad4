"""One run: its stages, how far it is, what it measured, and what it said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.runs.run_view import CACHED, DONE, FAILED, RUNNING, STOPPED, WAITING, RunView, StageView
from factory.tui import theme
from factory.tui.estimates import ProcessUsage, RemainingTime
from factory.tui.rich_text import Line, make_line, sanitise, wrap_line, wrap_text
from factory.tui.run_watcher import RunWatcher
from factory.tui.table import Column, Table, make_row
from factory.views import formatting

COLUMNS = (
    Column("stage", min_width=20, max_width=34),
    Column("took", align_right=True, min_width=11),
    Column("", min_width=15, max_width=15),
    Column("why it ran", drop_rank=1, min_width=8, max_width=90),
)
BAR = 10


def render_heading(
    watch: RunWatcher, view: RunView, now: float, finish: RemainingTime | None = None, past: bool = False
) -> list[Line]:
    """What run this is, how it is, and what is odd about its journal."""
    state = ("◀ replay", "accent") if past else theme.format_run_state(view.state)
    gone = max(0.0, now - view.started) if past else view.seconds
    first = make_line(
        (sanitise(view.name or view.id), "strong"),
        "  ",
        state,
        "  ",
        theme.format_verdict("" if past else view.verdict),
        f"  {formatting.format_seconds(gone)}" if view.started else "",
        (_format_remaining(finish), "run"),
    )
    second = make_line((" · ".join(sanitise(p) for p in (view.task, view.profile, view.spec, view.id) if p), "dim"))
    return [first, second, *_render_journal_warnings(watch)]


def render_failures(view: RunView, room: int) -> list[Line]:
    """What went wrong, in full."""
    wrong = [(stage.name, stage.error) for stage in view.stages.values() if stage.error]
    return [each for name, text in wrong for each in wrap_text(sanitise(text), room, "bad", f"✗ {sanitise(name)}: ")]


def _format_remaining(finish: RemainingTime | None) -> str:
    return f"  {finish.text} left ({finish.range_text})" if finish else ""


def _render_journal_warnings(watch: RunWatcher) -> list[Line]:
    """Why what is shown may not be all."""
    tail, found = watch.follower, []
    if tail.missing:
        found.append("the journal was deleted while it was shown")
    if tail.newer_version or watch.unknown_events:
        kinds = ", ".join(f"{sanitise(kind) or 'untyped'} ×{count}" for kind, count in watch.unknown_events.items())
        found.append(f"written by a newer factory{f'; not understood: {kinds}' if kinds else ''}")
    if tail.torn:
        found.append("the last line is incomplete: the process died while writing it")
    if tail.invalid_lines:
        found.append(f"{tail.invalid_lines} invalid lines are skipped")
    return [make_line((f"! {text}", "warn")) for text in found]


def build_stages_table(view: RunView, now: float) -> Table:
    """Every stage in the plan's order, those that stand beside each other with a rail."""
    names = list(view.stages)
    rows = [
        make_row(
            stage.name,
            make_line(theme.get_stage_sign(stage.state), " ", *_render_stage_name(names, place, stage)),
            _format_duration(stage, now),
            _render_progress(stage),
            _render_reason(stage),
            values=(stage.name, stage.seconds or None, stage.state, stage.error or stage.why),
        )
        for place, stage in enumerate(view.stages.values())
    ]
    return Table(COLUMNS, tuple(rows), "the journal lists no stages yet")


def _render_stage_name(names: Sequence[str], place: int, stage: StageView) -> Line:
    kind, inner = stage.name.partition("[")[0], stage.name.partition("[")[2].rstrip("]")
    tone = {RUNNING: "strong", FAILED: "bad", WAITING: "dim", CACHED: "dim"}.get(stage.state, "")
    if not inner:
        return make_line((sanitise(stage.name), tone))
    before = place > 0 and names[place - 1].startswith(f"{kind}[")
    after = place + 1 < len(names) and names[place + 1].startswith(f"{kind}[")
    rail = {(False, True): "┌", (True, True): "├", (True, False): "└"}.get((before, after), "")
    return (
        make_line((rail, "dim"), (f"{kind} ", "dim"), (sanitise(inner), tone))
        if rail
        else make_line((sanitise(stage.name), tone))
    )


def _format_duration(stage: StageView, now: float) -> str:
    if stage.state == RUNNING:
        return formatting.format_seconds(max(0.0, now - stage.started))
    return formatting.format_seconds(stage.seconds) if stage.seconds else ""


def _render_reason(stage: StageView) -> Line:
    """What went wrong, how long it will take yet, or why it ran at all."""
    if stage.error:
        return make_line((sanitise(stage.error), "bad"))
    left = (
        f"{formatting.format_seconds(stage.remaining_seconds)} left; "
        if stage.state == RUNNING and stage.remaining_seconds
        else ""
    )
    return make_line((left, "run"), (sanitise(stage.why), "dim"))


def _render_progress(stage: StageView) -> Line:
    if stage.state == RUNNING and stage.total:
        share = stage.done / stage.total
        return make_line((theme.render_bar(share, BAR), "run"), f" {share:4.0%}")
    if stage.state == RUNNING:
        return make_line((f"{stage.done} {sanitise(stage.unit)}" if stage.done else "running", "run"))
    word = {CACHED: "cached", WAITING: "", DONE: "", FAILED: "failed", STOPPED: "stopped"}.get(stage.state, stage.state)
    return make_line((word, {FAILED: "bad", STOPPED: "warn"}.get(stage.state, "dim")))


def render_flow(view: RunView, room: int) -> list[Line]:
    """The graph on a line or two: what feeds what, siblings counted."""
    groups: list[tuple[str, list[StageView]]] = []
    for stage in view.stages.values():
        kind = stage.name.partition("[")[0]
        if groups and groups[-1][0] == kind:
            groups[-1][1].append(stage)
        else:
            groups.append((kind, [stage]))
    spans: list[tuple[str, str]] = []
    for place, (kind, members) in enumerate(groups):
        spans += [(" → ", "dim")] if place else []
        spans += _render_group(kind, members)
    return wrap_line(make_line(*spans), room)


def _render_group(kind: str, members: Sequence[StageView]) -> list[tuple[str, str]]:
    first = next((s for s in members if s.state in (RUNNING, FAILED, STOPPED)), None)
    left = first or next((s for s in members if s.state == WAITING), members[0])
    sign, tone = theme.get_stage_sign(left.state)
    done = sum(s.state in (DONE, CACHED) for s in members)
    count = f" {done}/{len(members)}" if len(members) > 1 else ""
    return [(f"{sign}\u00a0", tone), (f"{sanitise(kind)}{count}", tone if left.state in (RUNNING, FAILED) else "")]


def render_stage(view: RunView, name: str, room: int) -> list[Line]:
    """Everything the journal knows of one stage."""
    stage = view.stages.get(name)
    if stage is None:
        return [make_line(("no such stage", "dim"))]
    plan: dict[str, Any] = next((s for s in view.plan if s.get("name") == name), {})
    pairs = [
        ("state", stage.state),
        ("why it ran", stage.why),
        ("error", stage.error),
        ("inputs", ", ".join(map(str, (plan.get("inputs") or {}).values()))),
        ("took", formatting.format_seconds(stage.seconds) if stage.seconds else ""),
        ("CPU", formatting.format_seconds(stage.cpu_seconds) if stage.cpu_seconds else ""),
        ("peak memory", formatting.format_bytes(stage.peak_mib * 2**20) if stage.peak_mib else ""),
        ("far", f"{stage.done}/{stage.total or '?'} {stage.unit}" if stage.unit else ""),
        ("key", stage.key),
    ]
    found = [make_line(theme.get_stage_sign(stage.state), " ", (sanitise(name), "strong"))]
    for label, value in pairs:
        found += wrap_text(sanitise(value), room, "bad" if label == "error" else "", f"{label:<12}") if value else []
    for label, value in (plan.get("config") or {}).items():
        found += (
            wrap_text(sanitise(value), room, "dim", f"{sanitise(label, 11):<12}")
            if value not in (None, "", [], {})
            else []
        )
    return found


def render_measurements(
    watch: RunWatcher, view: RunView, used: ProcessUsage | None, at: float | None, room: int
) -> list[Line]:
    """The numbers of this moment: loss, learning rate, speed, memory, processor."""
    parts: list[tuple[str, str]] = []
    for name in watch.list_metrics():
        value = watch.series["train", name].get_last(at)
        parts.append((name.replace("_", " "), f"{value:.4g}" if value is not None else "–"))
    train = view.stages.get("train")
    if train is not None and train.rate > 0:
        parts.append(("speed", _format_speed(train.rate, sanitise(train.unit))))
    if used is not None:
        parts += [
            ("memory", formatting.format_bytes(used.memory_bytes)),
            ("CPU time", formatting.format_seconds(used.cpu_seconds)),
        ]
        parts += [("GPU", used.gpu)] if used.gpu else []
    else:
        peak = max((s.peak_mib for s in view.stages.values()), default=0.0)
        cpu = sum(s.cpu_seconds for s in view.stages.values())
        parts += [("peak memory", formatting.format_bytes(peak * 2**20))] if peak else []
        parts += [("CPU time", formatting.format_seconds(cpu))] if cpu else []
    spans: list[tuple[str, str]] = []
    for name, text in parts:
        spans += [(f"{name} ".replace(" ", "\u00a0"), "dim"), (text.replace(" ", "\u00a0") + "  ", "strong")]
    return wrap_line(make_line(*spans), room)


def _format_speed(rate: float, unit: str) -> str:
    """`4.1 steps/s`, or `12 s a step` for what takes longer."""
    return f"{rate:.1f} {unit}/s" if rate >= 1 else f"{formatting.format_seconds(1 / rate)} a {unit.removesuffix('s')}"


def to_json(watch: RunWatcher, finish: RemainingTime | None) -> dict[str, Any]:
    """The run as data."""
    view = watch.get_view()
    return {
        **view.summarise_run(),
        "started": view.started,
        "spec": view.spec,
        "stages": [stage.to_json() for stage in view.stages.values()],
        "measured": {name: watch.get_curve(name) for name in watch.list_metrics()},
        "left": {"seconds": finish.seconds, "least": finish.low, "most": finish.high} if finish else None,
        "torn": watch.follower.torn,
        "newer": watch.follower.newer_version,
        "not_understood": watch.unknown_events,
        "notes": [{"at": at, "stage": s, "level": level, "text": text} for at, s, level, text in watch.notes],
    }
