"""What a build cost: its time and memory, the answers of its contenders, and what its teachers were asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from factory.plan.seed_names import find_seed, strip_seed
from factory.runs.requests import RequestTotals, sum_requests
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import RunView
from factory.views.elements import Column, Table, TableRow, Text, make_row
from factory.views.formatting import format_bytes, format_count, format_fact, format_seconds

ANSWER_COST_COLUMNS = (
    Column("contender", min_width=10),
    Column("rows", align_right=True, drop_rank=3, min_width=4),
    Column("took", align_right=True, min_width=11),
    Column("a row", align_right=True, min_width=8),
    Column("memory", align_right=True, drop_rank=2, min_width=9),
    Column("what it chose and spent", drop_rank=1, min_width=14, max_width=100),
)
REQUEST_COLUMNS = (
    Column("asked by", min_width=10),
    Column("model", min_width=10, max_width=60),
    Column("requests", align_right=True, min_width=8),
    Column("input tokens", align_right=True, drop_rank=1, min_width=12),
    Column("output tokens", align_right=True, drop_rank=1, min_width=13),
    Column("cost", align_right=True, min_width=6),
    Column("took", align_right=True, drop_rank=2, min_width=8),
)
MAX_FACT_WIDTH = 60


@dataclass(frozen=True, slots=True)
class BuildCost:
    """What one run spent: wall time and CPU time in seconds, memory in MiB, and requests to models."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    requests: tuple[RequestTotals, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure_build_cost(outputs: RunOutputs) -> BuildCost:
    """Return what this run spent itself; what it took from the store was paid by earlier runs."""
    run = outputs.run
    requests = sum_requests(outputs.home, run.name, run.started, max(run.last_event_at, run.started + run.seconds))
    return BuildCost(run.seconds, *measure_stages(run), tuple(requests))


def measure_stages(run: RunView) -> tuple[float, float]:
    """Return the CPU seconds of all stages of a run, and the largest peak of their memory in MiB."""
    stages = run.stages.values()
    return sum(stage.cpu_seconds for stage in stages), max((stage.peak_mib for stage in stages), default=0.0)


def describe_build_cost(cost: BuildCost) -> str:
    """Return `1 min 39 s, CPU 2 min 40 s, memory 3.2 GiB; 12 requests, 8,120 tokens, cost 0.431`."""
    parts = [format_seconds(cost.seconds)]
    parts += [f"CPU {format_seconds(cost.cpu_seconds)}"] if cost.cpu_seconds else []
    parts += [f"memory {format_bytes(cost.peak_mib * 2**20)}"] if cost.peak_mib else []
    asked = sum(part.requests for part in cost.requests)
    if not asked:
        return ", ".join(parts)
    tokens, money = (sum(getattr(r, name) for r in cost.requests) for name in ("tokens", "cost"))
    paid = f", cost {money:.4g}" if money else ""
    return f"{', '.join(parts)}; {format_count(asked, 'request')}, {format_count(tokens, 'token')}{paid}"


def build_requests_table(cost: BuildCost) -> Table:
    """Return what each plugin, or stage, asked each model, the dearest first."""
    ordered = sorted(cost.requests, key=lambda part: (-part.cost, -part.tokens))
    rows = [
        make_row(
            f"{part.by}: {part.model}", part.by, part.model, f"{part.requests:,}", f"{part.tokens_in:,}",
            f"{part.tokens_out:,}", f"{part.cost:.4g}" if part.cost else "", format_seconds(part.seconds),
            values=(part.by, part.model, part.requests, part.tokens_in, part.tokens_out, part.cost, part.seconds),
        )
        for part in ordered
    ]
    return Table(REQUEST_COLUMNS, tuple(rows), "no model was asked")


def build_answer_costs_table(outputs: RunOutputs) -> Table:
    """Return what the answers of each contender cost: time in all and per row, memory, tokens, money."""
    names = outputs.list_contenders(seeds=True)
    # Of several seeds each has answered: the contender itself only has what the bundled one said.
    seeded = {strip_seed(name) for name in names if find_seed(name) is not None}
    answered = [name for name in names if name not in seeded]
    rows = tuple(_make_cost_row(outputs, contender) for contender in answered)
    return Table(ANSWER_COST_COLUMNS, rows, "no answers yet")


def _make_cost_row(outputs: RunOutputs, name: str) -> TableRow:
    stage = f"answer[{name}]"
    meta, answers = outputs.read_stage_meta(stage), outputs.read_stage_json(stage)
    rows, seconds, peak = answers.get("rows"), meta.get("seconds"), meta.get("peak_mib")
    per_row = seconds / rows if seconds and rows else None
    facts = [(key, value) for key, value in (answers.get("facts") or {}).items() if not isinstance(value, list | dict)]
    spent = ", ".join(f"{key.replace('_', ' ')} {format_fact(value, MAX_FACT_WIDTH)}" for key, value in facts)
    cells = (
        Text(name), Text(str(rows or "")), Text(format_seconds(seconds) if seconds else ""),
        Text(_format_row_time(per_row) if per_row is not None else ""),
        Text(format_bytes(peak * 2**20) if peak else ""), Text(spent, "dim"),
    )
    return make_row(name, *cells, values=(name, rows, seconds, per_row, peak, spent))


def _format_row_time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else format_seconds(seconds)
