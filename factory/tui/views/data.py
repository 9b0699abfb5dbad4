"""The data of a run: the funnel from sources to training rows, dropped rows, and the findings of preflight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from factory.runs.run_outputs import RunOutputs
from factory.tui.rich_text import Line, make_line, sanitise, wrap_line, wrap_text
from factory.tui.table import render_table
from factory.views.elements import Column, Table, TableRow, draw_share_bar, make_row
from factory.views.formatting import format_count, format_percent

FUNNEL_COLUMNS = (
    Column("step", min_width=18, max_width=24),
    Column("rows", align_right=True, min_width=5),
    Column("", drop_rank=2, min_width=16),
    Column("because", drop_rank=1, min_width=12, max_width=80),
)
CHECK_COLUMNS = (
    Column("", min_width=6),
    Column("check", min_width=10),
    Column("rows", align_right=True, min_width=4),
    Column("share", align_right=True, min_width=6),
    Column("limit", align_right=True, drop_rank=1, min_width=6),
    Column("for example", drop_rank=2, min_width=14, max_width=90),
)
BAR_WIDTH = 16
MAX_REASONS = 3
MAX_DROPPED_ROWS = 12


def build_funnel_table(outputs: RunOutputs) -> Table:
    """Return the row funnel from sources to training, with the rows each step dropped or added."""
    steps = list(_iterate_steps(outputs))
    largest = max([count for _, count, _, is_total in steps if is_total] or [1])
    rows = tuple(_make_step_row(i, *step, largest) for i, step in enumerate(steps))
    return Table(FUNNEL_COLUMNS, rows, "no rows gathered yet")


def _make_step_row(index: int, name: str, count: int, reason: str, is_total: bool, largest: int) -> TableRow:
    number = f"{count:,}" if is_total else f"{count:+,}".replace("-", "−")
    tone = "strong" if is_total else "warn" if count < 0 else ""
    cells = (
        make_line((sanitise(name), "strong" if is_total else "")),
        make_line((number.replace(",", "\u202f"), tone)),
        make_line((draw_share_bar(count / (largest or 1), BAR_WIDTH) if is_total else "", "run")),
        make_line((sanitise(reason), "dim")),
    )
    return make_row(f"{index}", *cells, values=(name, count, "", reason))


def _iterate_steps(outputs: RunOutputs) -> Iterator[tuple[str, int, str, bool]]:
    """Yield (step, rows, reason, whether the rows are a total); otherwise they are the change by this step."""
    gather, freeze = outputs.read_stage_json("gather"), outputs.read_stage_json("freeze")
    if gather:
        yield "gathered", int(gather.get("rows", 0)), ", ".join(map(_describe_source, gather.get("sources", []))), True
    counts = freeze.get("counts", {})
    for split in ("test", "validation"):
        if counts.get(split):
            groups = f"in {freeze.get('groups', {}).get(split, '?')} groups"
            yield f"frozen: {split}", -int(counts[split]), groups, False
    if "train" in counts:
        yield "for training", int(counts["train"]), "", True
    for step in outputs.read_stage_json("synthesize").get("steps", []):
        changed = f"{_format_row_count(step['changed'])} enriched" if step.get("changed") else ""
        yield str(step.get("kind", "")), int(step.get("added", 0)), changed, False
    curate = outputs.read_stage_json("curate")
    funnel = curate.get("funnel", [])
    for step in funnel:
        reasons = list((step.get("reasons") or {}).items())
        texts = [f"{reason} ×{count}" for reason, count in reasons[:MAX_REASONS]]
        texts += [f"{len(reasons) - MAX_REASONS} more"] if len(reasons) > MAX_REASONS else []
        yield str(step.get("step", "")), -int(step.get("dropped", 0)), ", ".join(texts), False
    if funnel:
        yield "trained on", int(funnel[-1].get("out", 0)), _describe_leakage(curate.get("leakage") or {}), True


def _describe_source(source: Mapping[str, Any]) -> str:
    licences = ", ".join(map(str, source.get("licences") or [])) or "licence not stated"
    skipped = source.get("skipped")
    rows = _format_row_count(int(source.get("rows", 0)))
    return f"{source.get('kind')}: {rows} ({licences}{f'; {skipped} skipped' if skipped else ''})"


def _format_row_count(count: int) -> str:
    """Return `2 180 rows`, with a narrow no-break space as in the columns."""
    return format_count(count, "row").replace(",", "\u202f")


def _describe_leakage(proof: Mapping[str, Any]) -> str:
    """Return whether training rows are too close to test rows; empty when that was not checked."""
    if not proof:
        return ""
    leaked = sum(int(proof.get(k, 0)) for k in ("test_groups_in_training", "exact", "near"))
    return f"{_format_row_count(leaked)} too close to test rows" if leaked else "no overlap with the test rows"


def build_preflight_table(outputs: RunOutputs) -> Table:
    """Return the checks of preflight with the rows they found and an example, failed ones first."""
    checks = outputs.read_stage_json("preflight").get("checks", [])
    ordered = sorted(checks, key=lambda c: (c.get("passed", True), -c.get("rows", 0)))
    return Table(CHECK_COLUMNS, tuple(map(_make_check_row, ordered)), "preflight has not run yet")


def _make_check_row(check: Mapping[str, Any]) -> TableRow:
    name, share, limit = check.get("check", ""), check.get("share"), check.get("limit")
    passed, count = bool(check.get("passed")), int(check.get("rows", 0))
    examples = check.get("examples") or []
    example = f"{examples[0].get('row', '')}: {examples[0].get('text', '')}" if examples else ""
    word, tone = ("✗ over", "bad") if not passed else ("✓ some", "good") if count else ("✓ none", "dim")
    cells = (
        make_line((word, tone)),
        sanitise(name),
        str(count) if count else make_line(("0", "dim")),
        format_percent(share),
        format_percent(limit),
        make_line((sanitise(example), "dim")),
    )
    values = ("passed" if passed else "failed", check.get("check"), count, share, limit, example)
    return make_row(str(name), *cells, values=values)


def render_findings(outputs: RunOutputs, name: str, width: int) -> list[Line]:
    """Return a check's numbers and the example rows that it found."""
    checks = outputs.read_stage_json("preflight").get("checks", [])
    check: Mapping[str, Any] = next((c for c in checks if c.get("check") == name), {})
    share, limit = format_percent(check.get("share")), format_percent(check.get("limit"))
    numbers = f": {_format_row_count(check.get('rows', 0))}, {share}, limit {limit}"
    lines = wrap_line(make_line((sanitise(name), "strong"), numbers), width)
    for example in check.get("examples") or []:
        lines += wrap_text(sanitise(example.get("text", "")), width, "", f"  {sanitise(example.get('row', ''))}  ")
    return lines if check.get("examples") else [*lines, make_line(("no example rows", "dim"))]


def render_dropped_rows(outputs: RunOutputs, width: int) -> list[Line]:
    """Return the first rows that curation dropped, each with the step and its reason."""
    lines: list[Line] = []
    # Read lazily: the file lists every dropped row.
    for entry, _ in zip(outputs.read_stage_lines("curate", "dropped.jsonl"), range(MAX_DROPPED_ROWS), strict=False):
        columns = (entry.get("row") or {}).get("columns") or {}
        text = " · ".join(sanitise(v) for v in columns.values() if isinstance(v, str))
        twin = f" ({entry['twin']})" if entry.get("twin") else ""
        reason = sanitise(f"{entry.get('step', '')}: {entry.get('why', '')}{twin}")
        lines += wrap_line(make_line((reason, "warn"), f"  {sanitise(text, max(10, 2 * width - 30))}"), width, 4)
    return lines


def render_page(outputs: RunOutputs, width: int) -> list[Line]:
    """Return the funnel with examples of dropped rows below it."""
    lines, dropped = render_table(build_funnel_table(outputs), width), render_dropped_rows(outputs, width)
    return [*lines, make_line(), make_line(("examples of dropped rows", "title")), *dropped] if dropped else lines


def to_json(outputs: RunOutputs) -> dict[str, Any]:
    """Return the data as JSON data."""
    return {
        "funnel": build_funnel_table(outputs).to_dicts(),
        "leakage": outputs.read_stage_json("curate").get("leakage"),
        "preflight": outputs.read_stage_json("preflight").get("checks", []),
    }
