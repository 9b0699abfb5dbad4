"""The Specialists screen: every version with its verdict, what it was built from, and whether its files are intact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.runs.profile import read_funnel
from factory.runs.run_index import RunIndex
from factory.runs.run_outputs import RunOutputs
from factory.runs.specialists import SpecialistEntry
from factory.tui import theme
from factory.tui.rich_text import Line, make_line, sanitise, wrap_text
from factory.tui.views.runs_view import render_gain
from factory.views import formatting
from factory.views.elements import Column, Table, TableRow, make_row
from factory.views.verdict import BUNDLE_REMOVED

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
LABEL_WIDTH = 14
PATH_PARTS = 4
"""Parts of a bundle's path that are shown: `store/bundle/KEY/output`."""


def build_specialists_table(
    entries: Sequence[SpecialistEntry], index: RunIndex, now: float, checks: Mapping[str, str] | None = None
) -> Table:
    """Return all versions by name, newest first; `checks` holds the results of `verify` by label."""
    rows = tuple(_make_specialist_row(entry, index, now, (checks or {}).get(entry.label, "")) for entry in entries)
    return Table(COLUMNS, rows, "no specialists yet: no run has produced a bundle")


def _make_specialist_row(entry: SpecialistEntry, index: RunIndex, now: float, check: str) -> TableRow:
    version, run = entry.version, index.summaries.get(entry.version.run)
    base = str(entry.manifest.get("base", {}).get("id", ""))
    bundle, tone = ("stored", "dim") if version.is_stored else ("removed", "warn")
    if check:
        bundle, tone = check, "good" if check.startswith("✓") else "bad"
    age = max(0.0, now - version.created)
    aliases = ", ".join(entry.aliases)
    gain = run.difference if run else None
    metric, score, baseline = (run.metric, run.score, run.baseline) if run else ("", None, "")
    cells = (
        make_line((sanitise(entry.label), "strong")),
        make_line((sanitise(aliases), "accent")),
        make_line(theme.format_verdict(version.verdict)),
        sanitise(metric),
        formatting.format_number(score) if score is not None else "",
        render_gain(run) if run else "",
        sanitise(baseline),
        formatting.format_bytes(entry.size_bytes) if entry.size_bytes else "",
        formatting.format_ago(age).removesuffix(" ago"),
        sanitise(base),
        make_line((sanitise(bundle), tone)),
    )
    numbers = (version.verdict, metric, score, gain, baseline, entry.size_bytes, age)
    return make_row(entry.label, *cells, values=(entry.label, aliases, *numbers, base, bundle))


def render_lineage(
    entry: SpecialistEntry, outputs: RunOutputs, problems: Sequence[str] | None, width: int
) -> list[Line]:
    """Return what a version was built from, how to try it, and the problems that `verify` found (None: not run)."""
    steps = read_funnel(outputs)
    sources = [f"{s.step}: {formatting.format_count(s.added, 'row')} ({s.note})" for s in steps if s.note]
    test_rows = next((step.dropped for step in steps if (step.stage, step.step) == ("freeze", "test")), None)
    training_rows = steps[-1].rows if steps and steps[-1].stage in ("curate", "review") else None
    manifest, version = entry.manifest, entry.version
    base, digests = manifest.get("base", {}), manifest.get("digests", {})
    rows = digests.get("data", {})
    rank = f"  rank {manifest['rank']}" if manifest.get("rank") else ""
    pairs = [
        ("built by run", version.run),
        ("base", f"{base.get('id', '')}  {base.get('licence', '')}" if base else ""),
        ("base revision", base.get("revision", "")),
        ("data", ", ".join(sources)),
        ("training rows", _format_rows(training_rows, rows.get("train"))),
        ("test rows", _format_rows(test_rows, rows.get("test"))),
        ("spec", _shorten_digest(digests.get("spec"))),
        (manifest.get("artifact", "adapter"), f"{_shorten_digest(digests.get('artifact'))}{rank}"),
        ("bundle", "/".join(version.bundle.parts[-PATH_PARTS:])),
        ("digest", _shorten_digest(manifest.get("digest"))),
        ("try it", f"factory try {entry.label} --query '…'"),
    ]
    verdict, aliases = theme.format_verdict(version.verdict), f"  {', '.join(entry.aliases)}"
    lines = [make_line((sanitise(entry.label), "title"), "  ", verdict, (aliases, "accent"))]
    if not version.is_stored:
        lines += wrap_text(BUNDLE_REMOVED, width, "warn")
    for label, text in pairs:
        lines += wrap_text(sanitise(text), width, "", f"{label:<{LABEL_WIDTH}}") if text else []
    for problem in problems or ():
        lines += wrap_text(sanitise(problem), width, "bad", "✗ ")
    if problems is not None and not problems:
        lines.append(make_line(("✓ all files match the manifest", "good")))
    return lines


def _format_rows(count: int | None, digest: Any) -> str:
    """Return `1,687  161e2738ecfd1f25`: a number of rows, and their digest."""
    return "  ".join(part for part in ("" if count is None else f"{count:,}", _shorten_digest(digest)) if part)


def _shorten_digest(digest: Any) -> str:
    return str(digest)[:16] if digest else ""


def to_json(entries: Sequence[SpecialistEntry], index: RunIndex) -> list[dict[str, Any]]:
    """Return the specialists as JSON data."""
    rows = []
    for entry in entries:
        run, version = index.summaries.get(entry.version.run), entry.version
        rows.append(
            {
                "specialist": version.name,
                "version": version.number,
                "aliases": list(entry.aliases),
                "verdict": version.verdict,
                "metric": run.metric if run else "",
                "score": run.score if run else None,
                "baseline": run.baseline if run else "",
                "difference": run.difference if run else None,
                "run": version.run,
                "created": version.created,
                "bytes": entry.size_bytes,
                "there": version.is_stored,
                "bundle": str(version.bundle),
                "base": entry.manifest.get("base"),
                "digests": entry.manifest.get("digests"),
            }
        )
    return rows
