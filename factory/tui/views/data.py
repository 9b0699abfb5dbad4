"""What became of the rows: the funnel from sources to training, and what preflight found in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from factory.runs.run_outputs import RunOutputs
from factory.tui import theme
from factory.tui.rich_text import Line, make_line, sanitise, wrap_line, wrap_text
from factory.tui.table import Column, Table, TableRow, make_row, render_table
from factory.views import formatting

FUNNEL = (
    Column("step", min_width=18, max_width=24),
    Column("rows", align_right=True, min_width=5),
    Column("", drop_rank=2, min_width=16),
    Column("because", drop_rank=1, min_width=12, max_width=80),
)
CHECKS = (
    Column("", min_width=6),
    Column("check", min_width=10),
    Column("rows", align_right=True, min_width=4),
    Column("share", align_right=True, min_width=6),
    Column("limit", align_right=True, drop_rank=1, min_width=6),
    Column("for example", drop_rank=2, min_width=14, max_width=90),
)
BAR = 16
REASONS = 3


def build_funnel_table(evidence: RunOutputs) -> Table:
    """Return the row funnel from sources to training, with the rows each step dropped or added."""
    rows = list(_iterate_steps(evidence))
    most = max([count for _, count, _, whole in rows if whole] or [1])
    return Table(
        FUNNEL, tuple(_make_step_row(place, *row, most) for place, row in enumerate(rows)), "no rows gathered yet"
    )


def _make_step_row(place: int, name: str, count: int, why: str, whole: bool, most: int) -> TableRow:
    said = f"{count:,}" if whole else f"{count:+,}".replace("-", "−")
    picture = theme.render_bar(count / (most or 1), BAR) if whole else ""
    tone = "strong" if whole else "warn" if count < 0 else ""
    cells = (
        make_line((sanitise(name), "strong" if whole else "")),
        make_line((said.replace(",", "\u202f"), tone)),
        make_line((picture, "run")),
        make_line((sanitise(why), "dim")),
    )
    return make_row(f"{place}", *cells, values=(name, count, "", why))


def _iterate_steps(evidence: RunOutputs) -> Iterator[tuple[str, int, str, bool]]:
    """(step, rows or their change, why, whether the number is what there is)"""
    gather, freeze = evidence.read_stage_json("gather"), evidence.read_stage_json("freeze")
    if gather:
        yield "gathered", int(gather.get("rows", 0)), ", ".join(map(_describe_source, gather.get("sources", []))), True
    counts = freeze.get("counts", {})
    for split in ("test", "validation"):
        if counts.get(split):
            yield (
                f"frozen: {split}",
                -int(counts[split]),
                f"in {freeze.get('groups', {}).get(split, '?')} groups",
                False,
            )
    if "train" in counts:
        yield "for training", int(counts["train"]), "", True
    for step in evidence.read_stage_json("synthesize").get("steps", []):
        changed = f"{step['changed']} enriched" if step.get("changed") else ""
        yield str(step.get("kind", "")), int(step.get("added", 0)), changed, False
    steps = evidence.read_stage_json("curate").get("funnel", [])
    for step in steps:
        reasons = list((step.get("reasons") or {}).items())
        why = ", ".join(f"{reason} ×{count}" for reason, count in reasons[:REASONS])
        more = f", {len(reasons) - REASONS} more" if len(reasons) > REASONS else ""
        yield str(step.get("step", "")), -int(step.get("dropped", 0)), why + more, False
    if steps:
        yield "trained on", int(steps[-1].get("out", 0)), describe_leakage(evidence), True


def _describe_source(source: Mapping[str, Any]) -> str:
    licences = ", ".join(map(str, source.get("licences") or [])) or "licence not stated"
    skipped = source.get("skipped")
    return f"{source.get('kind')} {source.get('rows')} ({licences}{f'; {skipped} skipped' if skipped else ''})"


def describe_leakage(evidence: RunOutputs) -> str:
    """Whether anything of the test rows is in training, in words; empty when nobody looked."""
    proof = evidence.read_stage_json("curate").get("leakage") or {}
    if not proof:
        return ""
    leaked = sum(int(proof.get(k, 0)) for k in ("test_groups_in_training", "exact", "near"))
    return f"{leaked} rows too close to test rows" if leaked else "no test rows in it"


def build_preflight_table(evidence: RunOutputs) -> Table:
    """What the audit looked for, what it found, and an example."""
    found = sorted(
        evidence.read_stage_json("preflight").get("checks", []),
        key=lambda c: (c.get("passed", True), -c.get("rows", 0)),
    )
    return Table(CHECKS, tuple(map(_make_check_row, found)), "preflight has not run yet")


def _make_check_row(check: Mapping[str, Any]) -> TableRow:
    passed, count = bool(check.get("passed")), int(check.get("rows", 0))
    examples = check.get("examples") or []
    first = f"{examples[0].get('row', '')}: {examples[0].get('text', '')}" if examples else ""
    word, tone = ("✓ fine", "dim") if passed and not count else ("✓ some", "good") if passed else ("✗ over", "bad")
    cells = (
        make_line((word, tone)),
        sanitise(check.get("check", "")),
        str(count) if count else make_line(("0", "dim")),
        formatting.format_percent(check.get("share")),
        formatting.format_percent(check.get("limit")),
        make_line((sanitise(first), "dim")),
    )
    values = (
        "passed" if passed else "failed",
        check.get("check"),
        count,
        check.get("share"),
        check.get("limit"),
        first,
    )
    return make_row(str(check.get("check", "")), *cells, values=values)


def render_findings(evidence: RunOutputs, check: str, room: int) -> list[Line]:
    """The rows that one check named."""
    checks = evidence.read_stage_json("preflight").get("checks", [])
    one: Mapping[str, Any] = next((c for c in checks if c.get("check") == check), {})
    examples = one.get("examples") or []
    head = wrap_line(
        make_line(
            (sanitise(check), "strong"),
            f": {one.get('rows', 0)} rows, {formatting.format_percent(one.get('share'))}, limit "
            f"{formatting.format_percent(one.get('limit'))}",
        ),
        room,
    )
    if not examples:
        return [*head, make_line(("no example rows", "dim"))]
    rows = [
        each
        for e in examples
        for each in wrap_text(sanitise(e.get("text", "")), room, "", f"  {sanitise(e.get('row', ''))}  ")
    ]
    return [*head, *rows]


def render_dropped_rows(evidence: RunOutputs, room: int, most: int = 12) -> list[Line]:
    """The first rows that were dropped, and why."""
    found: list[Line] = []
    for entry, _ in zip(evidence.read_stage_lines("curate", "dropped.jsonl"), range(most), strict=False):
        row = entry.get("row") or {}
        said = " · ".join(sanitise(v) for v in (row.get("columns") or {}).values() if isinstance(v, str))
        twin = f" ({entry['twin']})" if entry.get("twin") else ""
        why = f"{entry.get('step', '')}: {entry.get('why', '')}{twin}"
        found += wrap_line(make_line((sanitise(why), "warn"), f"  {sanitise(said, max(10, 2 * room - 30))}"), room, 4)
    return found


def render_page(evidence: RunOutputs, room: int) -> list[Line]:
    """All of it below each other."""
    lost = render_dropped_rows(evidence, room)
    return [
        *render_table(build_funnel_table(evidence), room),
        *([make_line(), make_line(("dropped, for example", "title")), *lost] if lost else []),
    ]


def to_json(evidence: RunOutputs) -> dict[str, Any]:
    """The same as data."""
    return {
        "funnel": build_funnel_table(evidence).to_dicts(),
        "leakage": evidence.read_stage_json("curate").get("leakage"),
        "preflight": evidence.read_stage_json("preflight").get("checks", []),
    }
