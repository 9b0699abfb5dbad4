"""One run: its stages, how far it is, what it measured, and what it said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.runs.run_view import CACHED, DONE, FAILED, RUNNING, STOPPED, WAITING, RunView, StageView
from factory.tui import look
from factory.tui.estimates import Finish, Usage
from factory.tui.grid import Column, Grid, record
from factory.tui.lines import Line, line, safe, wrap, wrapped
from factory.tui.watch import Watch
from factory.views import formatting

COLUMNS = (
    Column("stage", least=20, most=34),
    Column("took", right=True, least=11),
    Column("", least=15, most=15),
    Column("why it ran", rank=1, least=8, most=90),
)
BAR = 10


def heading(watch: Watch, view: RunView, now: float, finish: Finish | None = None, past: bool = False) -> list[Line]:
    """What run this is, how it is, and what is odd about its journal."""
    state = ("◀ replay", "accent") if past else look.state(view.state)
    gone = max(0.0, now - view.started) if past else view.seconds
    first = line(
        (safe(view.name or view.id), "strong"),
        "  ",
        state,
        "  ",
        look.verdict("" if past else view.verdict),
        f"  {formatting.format_seconds(gone)}" if view.started else "",
        (_left(finish), "run"),
    )
    second = line((" · ".join(safe(p) for p in (view.task, view.profile, view.spec, view.id) if p), "dim"))
    return [first, second, *_odd(watch)]


def failures(view: RunView, room: int) -> list[Line]:
    """What went wrong, in full."""
    wrong = [(stage.name, stage.error) for stage in view.stages.values() if stage.error]
    return [each for name, text in wrong for each in wrapped(safe(text), room, "bad", f"✗ {safe(name)}: ")]


def _left(finish: Finish | None) -> str:
    return f"  {finish.said} left ({finish.range})" if finish else ""


def _odd(watch: Watch) -> list[Line]:
    """Why what is shown may not be all."""
    tail, found = watch.tail, []
    if tail.gone:
        found.append("the journal is gone: it was deleted while it was shown")
    if tail.newer or watch.strange:
        kinds = ", ".join(f"{safe(kind) or 'untyped'} ×{count}" for kind, count in watch.strange.items())
        found.append(f"written by a newer factory{f'; not understood: {kinds}' if kinds else ''}")
    if tail.torn:
        found.append("the last line is torn: the process died while it wrote")
    if tail.spoilt:
        found.append(f"{tail.spoilt} lines are no events and are passed over")
    return [line((f"! {text}", "warn")) for text in found]


def stages(view: RunView, now: float) -> Grid:
    """Every stage in the plan's order, those that stand beside each other with a rail."""
    names = list(view.stages)
    rows = [
        record(
            stage.name,
            line(look.stage(stage.state), " ", *_name(names, place, stage)),
            _took(stage, now),
            _progress(stage),
            _why(stage),
            values=(stage.name, stage.seconds or None, stage.state, stage.error or stage.why),
        )
        for place, stage in enumerate(view.stages.values())
    ]
    return Grid(COLUMNS, tuple(rows), "the journal does not name its stages yet")


def _name(names: Sequence[str], place: int, stage: StageView) -> Line:
    kind, inner = stage.name.partition("[")[0], stage.name.partition("[")[2].rstrip("]")
    tone = {RUNNING: "strong", FAILED: "bad", WAITING: "dim", CACHED: "dim"}.get(stage.state, "")
    if not inner:
        return line((safe(stage.name), tone))
    before = place > 0 and names[place - 1].startswith(f"{kind}[")
    after = place + 1 < len(names) and names[place + 1].startswith(f"{kind}[")
    rail = {(False, True): "┌", (True, True): "├", (True, False): "└"}.get((before, after), "")
    return line((rail, "dim"), (f"{kind} ", "dim"), (safe(inner), tone)) if rail else line((safe(stage.name), tone))


def _took(stage: StageView, now: float) -> str:
    if stage.state == RUNNING:
        return formatting.format_seconds(max(0.0, now - stage.started))
    return formatting.format_seconds(stage.seconds) if stage.seconds else ""


def _why(stage: StageView) -> Line:
    """What went wrong, how long it will take yet, or why it ran at all."""
    if stage.error:
        return line((safe(stage.error), "bad"))
    left = f"{formatting.format_seconds(stage.remaining_seconds)} left; " if stage.state == RUNNING and stage.remaining_seconds else ""
    return line((left, "run"), (safe(stage.why), "dim"))


def _progress(stage: StageView) -> Line:
    if stage.state == RUNNING and stage.total:
        share = stage.done / stage.total
        return line((look.bar(share, BAR), "run"), f" {share:4.0%}")
    if stage.state == RUNNING:
        return line((f"{stage.done} {safe(stage.unit)}" if stage.done else "running", "run"))
    word = {CACHED: "cached", WAITING: "", DONE: "", FAILED: "failed", STOPPED: "stopped"}.get(stage.state, stage.state)
    return line((word, {FAILED: "bad", STOPPED: "warn"}.get(stage.state, "dim")))


def flow(view: RunView, room: int) -> list[Line]:
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
        spans += _group(kind, members)
    return wrap(line(*spans), room)


def _group(kind: str, members: Sequence[StageView]) -> list[tuple[str, str]]:
    first = next((s for s in members if s.state in (RUNNING, FAILED, STOPPED)), None)
    left = first or next((s for s in members if s.state == WAITING), members[0])
    sign, tone = look.stage(left.state)
    done = sum(s.state in (DONE, CACHED) for s in members)
    count = f" {done}/{len(members)}" if len(members) > 1 else ""
    return [(f"{sign}\u00a0", tone), (f"{safe(kind)}{count}", tone if left.state in (RUNNING, FAILED) else "")]


def detail(view: RunView, name: str, room: int) -> list[Line]:
    """Everything the journal knows of one stage."""
    stage = view.stages.get(name)
    if stage is None:
        return [line(("no such stage", "dim"))]
    plan: dict[str, Any] = next((s for s in view.plan if s.get("name") == name), {})
    pairs = [
        ("state", stage.state),
        ("why it ran", stage.why),
        ("error", stage.error),
        ("stands on", ", ".join(map(str, (plan.get("inputs") or {}).values()))),
        ("took", formatting.format_seconds(stage.seconds) if stage.seconds else ""),
        ("CPU", formatting.format_seconds(stage.cpu_seconds) if stage.cpu_seconds else ""),
        ("peak memory", formatting.format_bytes(stage.peak_mib * 2**20) if stage.peak_mib else ""),
        ("far", f"{stage.done}/{stage.total or '?'} {stage.unit}" if stage.unit else ""),
        ("key", stage.key),
    ]
    found = [line(look.stage(stage.state), " ", (safe(name), "strong"))]
    for label, value in pairs:
        found += wrapped(safe(value), room, "bad" if label == "error" else "", f"{label:<12}") if value else []
    for label, value in (plan.get("config") or {}).items():
        found += wrapped(safe(value), room, "dim", f"{safe(label, 11):<12}") if value not in (None, "", [], {}) else []
    return found


def gauges(watch: Watch, view: RunView, used: Usage | None, at: float | None, room: int) -> list[Line]:
    """The numbers of this moment: loss, learning rate, speed, memory, processor."""
    parts: list[tuple[str, str]] = []
    for name in watch.names():
        value = watch.series["train", name].last(at)
        parts.append((name.replace("_", " "), f"{value:.4g}" if value is not None else "–"))
    train = view.stages.get("train")
    if train is not None and train.rate > 0:
        parts.append(("speed", _speed(train.rate, safe(train.unit))))
    if used is not None:
        parts += [("memory", formatting.format_bytes(used.memory)), ("CPU time", formatting.format_seconds(used.cpu))]
        parts += [("GPU", used.gpu)] if used.gpu else []
    else:
        peak = max((s.peak_mib for s in view.stages.values()), default=0.0)
        cpu = sum(s.cpu_seconds for s in view.stages.values())
        parts += [("peak memory", formatting.format_bytes(peak * 2**20))] if peak else []
        parts += [("CPU time", formatting.format_seconds(cpu))] if cpu else []
    spans: list[tuple[str, str]] = []
    for name, text in parts:
        spans += [(f"{name} ".replace(" ", "\u00a0"), "dim"), (text.replace(" ", "\u00a0") + "  ", "strong")]
    return wrap(line(*spans), room)


def _speed(rate: float, unit: str) -> str:
    """`4.1 steps/s`, or `12 s a step` for what takes longer."""
    return f"{rate:.1f} {unit}/s" if rate >= 1 else f"{formatting.format_seconds(1 / rate)} a {unit.removesuffix('s')}"


def facts(watch: Watch, finish: Finish | None) -> dict[str, Any]:
    """The run as data."""
    view = watch.settled()
    return {
        **view.summarise_run(),
        "started": view.started,
        "spec": view.spec,
        "stages": [stage.to_json() for stage in view.stages.values()],
        "measured": {name: watch.curve(name) for name in watch.names()},
        "left": {"seconds": finish.seconds, "least": finish.least, "most": finish.most} if finish else None,
        "torn": watch.tail.torn,
        "newer": watch.tail.newer,
        "not_understood": watch.strange,
        "notes": [{"at": at, "stage": s, "level": level, "text": text} for at, s, level, text in watch.notes],
    }
