"""What became of the rows: the funnel from sources to training, and what preflight found in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from factory.runs.run_outputs import RunOutputs
from factory.tui import look
from factory.tui.grid import Column, Grid, Record, drawn, record
from factory.tui.lines import Line, line, safe, wrap, wrapped
from factory.views import formatting

FUNNEL = (
    Column("step", least=18, most=24),
    Column("rows", right=True, least=5),
    Column("", rank=2, least=16),
    Column("because", rank=1, least=12, most=80),
)
CHECKS = (
    Column("", least=6),
    Column("check", least=10),
    Column("rows", right=True, least=4),
    Column("share", right=True, least=6),
    Column("limit", right=True, rank=1, least=6),
    Column("for example", rank=2, least=14, most=90),
)
BAR = 16
REASONS = 3


def funnel(evidence: RunOutputs) -> Grid:
    """Rows from where they come to what was trained on, each step with what it took or added."""
    rows = list(_steps(evidence))
    most = max([count for _, count, _, whole in rows if whole] or [1])
    return Grid(FUNNEL, tuple(_step(place, *row, most) for place, row in enumerate(rows)), "no rows were gathered yet")


def _step(place: int, name: str, count: int, why: str, whole: bool, most: int) -> Record:
    said = f"{count:,}" if whole else f"{count:+,}".replace("-", "−")
    picture = look.bar(count / (most or 1), BAR) if whole else ""
    tone = "strong" if whole else "warn" if count < 0 else ""
    cells = (
        line((safe(name), "strong" if whole else "")),
        line((said.replace(",", "\u202f"), tone)),
        line((picture, "run")),
        line((safe(why), "dim")),
    )
    return record(f"{place}", *cells, values=(name, count, "", why))


def _steps(evidence: RunOutputs) -> Iterator[tuple[str, int, str, bool]]:
    """(step, rows or their change, why, whether the number is what there is)"""
    gather, freeze = evidence.read_stage_json("gather"), evidence.read_stage_json("freeze")
    if gather:
        yield "gathered", int(gather.get("rows", 0)), ", ".join(map(_source, gather.get("sources", []))), True
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
        yield "trained on", int(steps[-1].get("out", 0)), leakage(evidence), True


def _source(source: Mapping[str, Any]) -> str:
    licences = ", ".join(map(str, source.get("licences") or [])) or "licence not stated"
    skipped = source.get("skipped")
    return f"{source.get('kind')} {source.get('rows')} ({licences}{f'; {skipped} skipped' if skipped else ''})"


def leakage(evidence: RunOutputs) -> str:
    """Whether anything of the test rows is in training, in words; empty when nobody looked."""
    proof = evidence.read_stage_json("curate").get("leakage") or {}
    if not proof:
        return ""
    leaked = sum(int(proof.get(k, 0)) for k in ("test_groups_in_training", "exact", "near"))
    return f"{leaked} rows too close to test rows" if leaked else "nothing of the test rows is in it"


def preflight(evidence: RunOutputs) -> Grid:
    """What the audit looked for, what it found, and an example."""
    found = sorted(
        evidence.read_stage_json("preflight").get("checks", []), key=lambda c: (c.get("passed", True), -c.get("rows", 0))
    )
    return Grid(CHECKS, tuple(map(_check, found)), "preflight did not look at the rows yet")


def _check(check: Mapping[str, Any]) -> Record:
    passed, count = bool(check.get("passed")), int(check.get("rows", 0))
    examples = check.get("examples") or []
    first = f"{examples[0].get('row', '')}: {examples[0].get('text', '')}" if examples else ""
    word, tone = ("✓ fine", "dim") if passed and not count else ("✓ some", "good") if passed else ("✗ over", "bad")
    cells = (
        line((word, tone)),
        safe(check.get("check", "")),
        str(count) if count else line(("0", "dim")),
        formatting.format_percent(check.get("share")),
        formatting.format_percent(check.get("limit")),
        line((safe(first), "dim")),
    )
    values = (
        "passed" if passed else "failed",
        check.get("check"),
        count,
        check.get("share"),
        check.get("limit"),
        first,
    )
    return record(str(check.get("check", "")), *cells, values=values)


def findings(evidence: RunOutputs, check: str, room: int) -> list[Line]:
    """The rows that one check named."""
    checks = evidence.read_stage_json("preflight").get("checks", [])
    one: Mapping[str, Any] = next((c for c in checks if c.get("check") == check), {})
    examples = one.get("examples") or []
    head = wrap(
        line(
            (safe(check), "strong"),
            f": {one.get('rows', 0)} rows, {formatting.format_percent(one.get('share'))}, limit {formatting.format_percent(one.get('limit'))}",
        ),
        room,
    )
    if not examples:
        return [*head, line(("no row is named", "dim"))]
    rows = [
        each for e in examples for each in wrapped(safe(e.get("text", "")), room, "", f"  {safe(e.get('row', ''))}  ")
    ]
    return [*head, *rows]


def dropped(evidence: RunOutputs, room: int, most: int = 12) -> list[Line]:
    """The first rows that were dropped, and why."""
    found: list[Line] = []
    for entry, _ in zip(evidence.read_stage_lines("curate", "dropped.jsonl"), range(most), strict=False):
        row = entry.get("row") or {}
        said = " · ".join(safe(v) for v in (row.get("columns") or {}).values() if isinstance(v, str))
        twin = f" ({entry['twin']})" if entry.get("twin") else ""
        why = f"{entry.get('step', '')}: {entry.get('why', '')}{twin}"
        found += wrap(line((safe(why), "warn"), f"  {safe(said, max(10, 2 * room - 30))}"), room, 4)
    return found


def page(evidence: RunOutputs, room: int) -> list[Line]:
    """All of it below each other."""
    lost = dropped(evidence, room)
    return [
        *drawn(funnel(evidence), room),
        *([line(), line(("dropped, for example", "title")), *lost] if lost else []),
    ]


def facts(evidence: RunOutputs) -> dict[str, Any]:
    """The same as data."""
    return {
        "funnel": funnel(evidence).json(),
        "leakage": evidence.read_stage_json("curate").get("leakage"),
        "preflight": evidence.read_stage_json("preflight").get("checks", []),
    }
