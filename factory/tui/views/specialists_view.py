"""The shelf of specialists: which version to ship, what it is made of, whether it is what was built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.runs.run_outputs import RunOutputs
from factory.tui import theme
from factory.tui.rich_text import Line, make_line, sanitise, wrap_text
from factory.tui.run_index import RunIndex
from factory.tui.specialist_list import SpecialistEntry
from factory.tui.table import Column, Table, TableRow, make_row
from factory.tui.views import data
from factory.views import formatting

COLUMNS = (
    Column("specialist", min_width=18, max_width=34),
    Column("aliases", drop_rank=2, min_width=15, max_width=30),
    Column("verdict", min_width=11),
    Column("metric", drop_rank=4, min_width=8),
    Column("score", align_right=True, drop_rank=3, min_width=5),
    Column("gain", align_right=True, min_width=6),
    Column("over", drop_rank=5, min_width=8, max_width=20),
    Column("size", align_right=True, drop_rank=4, min_width=8),
    Column("built", align_right=True, drop_rank=3, min_width=6),
    Column("base", drop_rank=6, min_width=12, max_width=36),
    Column("bundle", drop_rank=1, min_width=5, max_width=24),
)
NONE_YET = "no specialists yet: no run has produced a bundle"
LABEL, PLACE = 14, 4
"""Cells of a label, and parts of a path from the home on: `store/bundle/KEY/output`."""


def build_specialists_table(
    shelf: Sequence[SpecialistEntry], index: RunIndex, now: float, checked: Mapping[str, str] | None = None
) -> Table:
    """All versions, by name and the newest first; `checked` holds what `verify` said of some."""
    rows = tuple(_make_specialist_row(one, index, now, (checked or {}).get(one.label, "")) for one in shelf)
    return Table(COLUMNS, rows, NONE_YET)


def _make_specialist_row(one: SpecialistEntry, index: RunIndex, now: float, said: str) -> TableRow:
    version, run = one.version, index.summaries.get(one.version.run)
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
        make_line((sanitise(one.label), "strong")),
        make_line((sanitise(called), "accent")),
        make_line(theme.format_verdict(version.verdict)),
        sanitise(metric),
        formatting.format_number(score) if score is not None else "",
        make_line((formatting.format_signed(gain), shade)) if gain is not None else "",
        sanitise(baseline),
        formatting.format_bytes(one.size_bytes) if one.size_bytes else "",
        formatting.format_ago(age).removesuffix(" ago"),
        sanitise(base),
        make_line((sanitise(there), tone)),
    )
    values = (one.label, called, version.verdict, metric, score, gain, baseline, one.size_bytes, age, base, there)
    return make_row(one.label, *cells, values=values)


def render_lineage(one: SpecialistEntry, evidence: RunOutputs, problems: Sequence[str] | None, room: int) -> list[Line]:
    """What a version is made of, and how to use it."""
    rows = {record.values[0]: record.values for record in data.build_funnel_table(evidence).rows}
    manifest, version = one.manifest, one.version
    base = manifest.get("base", {})
    digests = manifest.get("digests", {})
    sealed = digests.get("data", {})
    pairs = [
        ("made by run", version.run),
        ("base", f"{base.get('id', '')}  {base.get('licence', '')}" if base else ""),
        ("base from", base.get("revision", "")),
        ("data", rows["gathered"][3] if "gathered" in rows else ""),
        ("training rows", _format_rows(rows, "trained on", sealed.get("train"))),
        ("test rows", _format_rows(rows, "frozen: test", sealed.get("test"))),
        ("spec", _shorten_digest(digests.get("spec"))),
        ("adapter", f"{_shorten_digest(digests.get('adapter'))}{_format_rank(manifest)}"),
        ("bundle", "/".join(version.bundle.parts[-PLACE:])),
        ("digest", _shorten_digest(manifest.get("digest"))),
        ("ask it", f"factory try {one.label} --query '…'"),
    ]
    found = [
        make_line(
            (sanitise(one.label), "title"),
            "  ",
            theme.format_verdict(version.verdict),
            (f"  {', '.join(one.aliases)}", "accent"),
        )
    ]
    if not version.is_stored:
        found += wrap_text(
            "The bundle was removed from the store; run the same build command to rebuild it.", room, "warn"
        )
    for label, value in pairs:
        found += wrap_text(sanitise(value), room, "", f"{label:<{LABEL}}") if value else []
    return [*found, *render_problems(problems, room)]


def render_problems(problems: Sequence[str] | None, room: int) -> list[Line]:
    """What `verify` said; nothing when it was not asked."""
    if problems is None:
        return []
    if not problems:
        return [make_line(("✓ every file is as it was built", "good"))]
    return [each for problem in problems for each in wrap_text(sanitise(problem), room, "bad", "✗ ")]


def _format_rows(funnel: Mapping[str, Sequence[Any]], step: str, digest: Any) -> str:
    """`1 687  161e2738ecfd1f25`: how many, and what they are known by."""
    count = f"{abs(int(funnel[step][1])):,}".replace(",", "\u202f") if step in funnel else ""
    return "  ".join(part for part in (count, _shorten_digest(digest)) if part)


def _shorten_digest(digest: Any) -> str:
    return str(digest)[:16] if digest else ""


def _format_rank(manifest: Mapping[str, Any]) -> str:
    return f"  rank {manifest['rank']}" if manifest.get("rank") else ""


def to_json(shelf: Sequence[SpecialistEntry], index: RunIndex) -> list[dict[str, Any]]:
    """The shelf as data."""
    found = []
    for one in shelf:
        run, version = index.summaries.get(one.version.run), one.version
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
                "bytes": one.size_bytes,
                "there": version.is_stored,
                "bundle": str(version.bundle),
                "base": one.manifest.get("base"),
                "digests": one.manifest.get("digests"),
            }
        )
    return found
