"""The stages of a run: what CLI, TUI and report show of each, live or finished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.plan.stage_kinds import find_stage_kind
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import CACHED, DONE, FAILED, RUNNING, STOPPED, WAITING, RunView, StageView
from factory.views.elements import Cell, Column, ShareBar, Table, TableRow, Text, make_row
from factory.views.formatting import clean_line, format_bytes, format_seconds

STAGE_COLUMNS = (
    Column("stage", min_width=20, max_width=34),
    Column("state", drop_rank=2, min_width=15, max_width=15),
    Column("", drop_rank=8, min_width=12, key="time bar"),
    Column("took", align_right=True, min_width=11),
    Column("CPU", align_right=True, drop_rank=4, min_width=9),
    Column("peak memory", align_right=True, drop_rank=3, min_width=9),
    Column("why it ran", drop_rank=1, min_width=8, max_width=160),
    Column("key", drop_rank=9),
    Column("purpose", drop_rank=10, min_width=20, max_width=60),
)
LIST_COLUMNS = ("stage", "state", "took", "CPU", "peak memory", "why it ran")
"""Columns of a list of stages; a report has the width for all."""
KEY_LETTERS = 8
"""Letters of a stage's key that are shown, enough to tell two runs apart."""
STATE_TONES = {RUNNING: "run", FAILED: "bad", STOPPED: "warn", DONE: "", WAITING: "dim", CACHED: "dim"}

StageCost = Mapping[str, Any]
"""`seconds`, `cpu_seconds`, `peak_mib`; and `made_by`, the run that produced a cached output."""


def read_stage_costs(outputs: RunOutputs) -> dict[str, StageCost]:
    """Read time and memory of the cached stages, as the runs that produced their outputs recorded them."""
    cached = [name for name, stage in outputs.run.stages.items() if stage.state == CACHED]
    metas = {name: outputs.read_stage_meta(name) for name in cached}
    return {name: meta for name, meta in metas.items() if "seconds" in meta}


def build_stages_table(run: RunView, now: float, costs: Mapping[str, StageCost] | None = None) -> Table:
    """Return every stage in the order of the plan; `costs` are those of `read_stage_costs`."""
    known = {stage.name: _get_stage_cost(stage, now, (costs or {}).get(stage.name)) for stage in run.stages.values()}
    # The scale of the bars; the constant avoids a division by zero.
    longest = max([float(cost["seconds"]) for cost in known.values() if cost] + [0.001])
    rows = tuple(_make_stage_row(stage, known[stage.name], longest) for stage in run.stages.values())
    return Table(STAGE_COLUMNS, rows, "the journal lists no stages yet")


def _get_stage_cost(stage: StageView, now: float, cached: StageCost | None) -> StageCost:
    if cached:
        return cached
    seconds = max(0.0, now - stage.started) if stage.state == RUNNING else stage.seconds
    if not seconds and stage.state != RUNNING:
        return {}
    return {"seconds": seconds, "cpu_seconds": stage.cpu_seconds, "peak_mib": stage.peak_mib}


def _make_stage_row(stage: StageView, cost: StageCost, longest: float) -> TableRow:
    state: Cell = Text(stage.state, STATE_TONES.get(stage.state, "dim"))
    if stage.state == RUNNING and stage.total:
        state = ShareBar(stage.done / stage.total, f"{stage.done / stage.total:4.0%}", "run")
    why, tone = _describe_reason(stage, cost)
    purpose = find_stage_kind(stage.name).title
    seconds, cpu, peak = (cost.get(name) for name in ("seconds", "cpu_seconds", "peak_mib"))
    cells = (
        Text(stage.name), state, ShareBar(seconds / longest) if seconds else Text(""),
        Text(format_seconds(seconds) if seconds is not None else ""), Text(format_seconds(cpu) if cpu else ""),
        Text(format_bytes(peak * 2**20) if peak else ""), Text(why, tone), Text(stage.key[:KEY_LETTERS], "dim"),
        Text(purpose, "dim"),
    )
    values = (stage.name, stage.state, "", seconds, cpu, peak, why, stage.key, purpose)
    return make_row(stage.name, *cells, values=values)


def _describe_reason(stage: StageView, cost: StageCost) -> tuple[str, str]:
    """Return the error, else the progress, else why the stage ran or whose output it took, and the tone."""
    if stage.error:
        return stage.error, "bad"
    if stage.state == RUNNING and stage.unit:
        return format_stage_progress(stage), "run"
    return stage.why or (f"from run {cost['made_by']}" if "made_by" in cost else ""), "dim"


def format_stage_progress(stage: StageView) -> str:
    """Return the progress of a stage, such as `120/1,300 steps, 4.1/s, 44 s left`."""
    total = f"/{stage.total:,}" if stage.total else ""
    parts = [f"{stage.done:,}{total} {clean_line(stage.unit)}"]
    if stage.rate > 0:
        parts.append(f"{stage.rate:.1f}/s" if stage.rate >= 1 else f"{format_seconds(1 / stage.rate)} each")
    if stage.remaining_seconds is not None and stage.remaining_seconds > 0:
        parts.append(f"{format_seconds(stage.remaining_seconds)} left")
    return ", ".join(parts)
