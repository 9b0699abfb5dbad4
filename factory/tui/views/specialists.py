"""The shelf of specialists: which version to ship, what it is made of, whether it is what was built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.runs.run_outputs import RunOutputs
from factory.tui import look
from factory.tui.grid import Column, Grid, Record, record
from factory.tui.index import Index
from factory.tui.lines import Line, line, safe, wrapped
from factory.tui.shelf import Kept
from factory.tui.views import data
from factory.views import formatting

COLUMNS = (
    Column("specialist", least=18, most=34),
    Column("aliases", rank=2, least=15, most=30),
    Column("verdict", least=11),
    Column("metric", rank=4, least=8),
    Column("score", right=True, rank=3, least=5),
    Column("gain", right=True, least=6),
    Column("over", rank=5, least=8, most=20),
    Column("size", right=True, rank=4, least=8),
    Column("built", right=True, rank=3, least=6),
    Column("base", rank=6, least=12, most=36),
    Column("bundle", rank=1, least=5, most=24),
)
NONE_YET = "no specialist yet: none of the runs reached a bundle"
LABEL, PLACE = 14, 4
"""Cells of a label, and parts of a path from the home on: `store/bundle/KEY/output`."""


def grid(shelf: Sequence[Kept], index: Index, now: float, checked: Mapping[str, str] | None = None) -> Grid:
    """All versions, by name and the newest first; `checked` holds what `verify` said of some."""
    rows = tuple(_record(one, index, now, (checked or {}).get(one.label, "")) for one in shelf)
    return Grid(COLUMNS, rows, NONE_YET)


def _record(one: Kept, index: Index, now: float, said: str) -> Record:
    version, run = one.version, index.found.get(one.version.run)
    base = str(one.manifest.get("base", {}).get("id", ""))
    there = said or ("there" if version.is_stored else "cleared")
    tone = "dim" if there == "there" else "warn" if there == "cleared" else "good" if there.startswith("✓") else "bad"
    gain = run.difference if run else None
    clear = run is not None and run.low is not None and run.high is not None and (run.low > 0 or run.high < 0)
    shade = ("good" if (gain or 0) > 0 else "bad") if clear else "warn"
    age = max(0.0, now - version.created)
    called = ", ".join(one.aliases)
    metric, score, baseline = (run.metric, run.score, run.baseline) if run else ("", None, "")
    cells = (
        line((safe(one.label), "strong")),
        line((safe(called), "accent")),
        line(look.verdict(version.verdict)),
        safe(metric),
        formatting.format_number(score) if score is not None else "",
        line((formatting.format_signed(gain), shade)) if gain is not None else "",
        safe(baseline),
        formatting.format_bytes(one.size) if one.size else "",
        formatting.format_ago(age).removesuffix(" ago"),
        safe(base),
        line((safe(there), tone)),
    )
    values = (one.label, called, version.verdict, metric, score, gain, baseline, one.size, age, base, there)
    return record(one.label, *cells, values=values)


def lineage(one: Kept, evidence: RunOutputs, problems: Sequence[str] | None, room: int) -> list[Line]:
    """What a version is made of, and how to use it."""
    rows = {record.values[0]: record.values for record in data.funnel(evidence).records}
    manifest, version = one.manifest, one.version
    base = manifest.get("base", {})
    digests = manifest.get("digests", {})
    sealed = digests.get("data", {})
    pairs = [
        ("made by run", version.run),
        ("base", f"{base.get('id', '')}  {base.get('licence', '')}" if base else ""),
        ("base from", base.get("revision", "")),
        ("data", rows["gathered"][3] if "gathered" in rows else ""),
        ("training rows", _rows(rows, "trained on", sealed.get("train"))),
        ("test rows", _rows(rows, "frozen: test", sealed.get("test"))),
        ("spec", _short(digests.get("spec"))),
        ("adapter", f"{_short(digests.get('adapter'))}{_rank(manifest)}"),
        ("bundle", "/".join(version.bundle.parts[-PLACE:])),
        ("digest", _short(manifest.get("digest"))),
        ("ask it", f"factory try {one.label} --query '…'"),
    ]
    found = [
        line((safe(one.label), "title"), "  ", look.verdict(version.verdict), (f"  {', '.join(one.aliases)}", "accent"))
    ]
    if not version.is_stored:
        found += wrapped("The bundle was cleared from the store; the same build command makes it again.", room, "warn")
    for label, value in pairs:
        found += wrapped(safe(value), room, "", f"{label:<{LABEL}}") if value else []
    return [*found, *checked(problems, room)]


def checked(problems: Sequence[str] | None, room: int) -> list[Line]:
    """What `verify` said; nothing when it was not asked."""
    if problems is None:
        return []
    if not problems:
        return [line(("✓ every file is as it was built", "good"))]
    return [each for problem in problems for each in wrapped(safe(problem), room, "bad", "✗ ")]


def _rows(funnel: Mapping[str, Sequence[Any]], step: str, digest: Any) -> str:
    """`1 687  161e2738ecfd1f25`: how many, and what they are known by."""
    count = f"{abs(int(funnel[step][1])):,}".replace(",", "\u202f") if step in funnel else ""
    return "  ".join(part for part in (count, _short(digest)) if part)


def _short(digest: Any) -> str:
    return str(digest)[:16] if digest else ""


def _rank(manifest: Mapping[str, Any]) -> str:
    return f"  rank {manifest['rank']}" if manifest.get("rank") else ""


def facts(shelf: Sequence[Kept], index: Index) -> list[dict[str, Any]]:
    """The shelf as data."""
    found = []
    for one in shelf:
        run, version = index.found.get(one.version.run), one.version
        found.append(
            {
                "specialist": version.name,
                "version": version.number,
                "aliases": list(one.aliases),
                "verdict": version.verdict,
                "metric": run.metric if run else "",
                "score": run.score if run else None,
                "baseline": run.baseline if run else "",
                "difference": run.difference if run else None,
                "run": version.run,
                "created": version.created,
                "bytes": one.size,
                "there": version.is_stored,
                "bundle": str(version.bundle),
                "base": one.manifest.get("base"),
                "digests": one.manifest.get("digests"),
            }
        )
    return found
