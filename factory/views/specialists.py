"""Specialists: every version with its verdict, and what it was built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.bundle.delivered import describe_delivery
from factory.runs.profile import read_funnel
from factory.runs.run_index import RunSummary
from factory.runs.run_outputs import RunOutputs
from factory.runs.specialists import SpecialistEntry
from factory.views import formatting
from factory.views.elements import Column, Table, TableRow, Text, make_row
from factory.views.runs import format_gain
from factory.views.signs import format_verdict
from factory.views.verdict import BUNDLE_REMOVED

SPECIALIST_COLUMNS = (
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
CHOICE_COLUMNS = ("specialist", "verdict", "aliases", "base")
"""Columns of a list from which specialists are chosen."""
PATH_PARTS = 4
"""Parts of a bundle's path that are shown: `store/bundle/KEY/output`."""


def build_specialists_table(
    entries: Sequence[SpecialistEntry], runs: Mapping[str, RunSummary], now: float,
    checks: Mapping[str, Text] | None = None,
) -> Table:
    """Return all versions by name, newest first; `checks` holds the results of `verify` by label."""
    rows = tuple(
        _make_specialist_row(entry, runs.get(entry.version.run), now, (checks or {}).get(entry.label))
        for entry in entries
    )
    return Table(SPECIALIST_COLUMNS, rows, "no specialists yet: no run has produced a bundle")


def _make_specialist_row(entry: SpecialistEntry, run: RunSummary | None, now: float, check: Text | None) -> TableRow:
    version, aliases, run = entry.version, ", ".join(entry.aliases), run or RunSummary(entry.version.run)
    base, age = str(entry.manifest.get("base", {}).get("id", "")), max(0.0, now - version.created)
    bundle = check or (Text("stored", "dim") if version.is_stored else Text("removed", "warn"))
    cells = (
        Text(entry.label, "strong"), Text(aliases, "accent"), format_verdict(version.verdict), run.metric,
        formatting.format_number(run.score) if run.score is not None else "", format_gain(run), run.baseline,
        formatting.format_bytes(entry.size_bytes) if entry.size_bytes else "",
        formatting.format_ago(age).removesuffix(" ago"), Text(base, "dim"), bundle,
    )
    numbers = (version.verdict, run.metric, run.score, run.difference, run.baseline, entry.size_bytes, age)
    return make_row(entry.label, *cells, values=(entry.label, aliases, *numbers, base, bundle.text))


@dataclass(frozen=True, slots=True)
class LineageView:
    """What a version was built from, by name; `warning` is empty as long as its bundle is stored."""

    label: str
    verdict: Text
    aliases: str
    warning: str
    facts: Mapping[str, str]


def build_lineage_view(entry: SpecialistEntry, outputs: RunOutputs) -> LineageView:
    """Return what a version was built from, with digests, and how to try it."""
    steps, manifest, version = read_funnel(outputs), entry.manifest, entry.version
    sources = [f"{s.step}: {formatting.format_count(s.added, 'row')} ({s.note})" for s in steps if s.note]
    test_rows = next((step.dropped for step in steps if (step.stage, step.step) == ("freeze", "test")), None)
    training_rows = steps[-1].rows if steps and steps[-1].stage in ("curate", "review") else None
    base, digests = manifest.get("base", {}), manifest.get("digests", {})
    rows, rank = digests.get("data", {}), f"  rank {manifest['rank']}" if manifest.get("rank") else ""
    facts = {
        "delivers": describe_delivery(manifest),
        "built by run": version.run,
        "base": f"{base.get('id', '')}  {base.get('licence', '')}" if base else "",
        "base revision": str(base.get("revision", "")),
        "data": ", ".join(sources),
        "training rows": _format_rows(training_rows, rows.get("train")),
        "test rows": _format_rows(test_rows, rows.get("test")),
        "spec": _shorten_digest(digests.get("spec")),
        str(manifest.get("artifact", "adapter")): f"{_shorten_digest(digests.get('artifact'))}{rank}",
        "bundle": "/".join(version.bundle.parts[-PATH_PARTS:]),
        "digest": _shorten_digest(manifest.get("digest")),
        "try it": f"factory try {entry.label} --query '…'",
    }
    warning = "" if version.is_stored else BUNDLE_REMOVED
    filled = {name: text for name, text in facts.items() if text}
    return LineageView(entry.label, format_verdict(version.verdict), ", ".join(entry.aliases), warning, filled)


def _format_rows(count: int | None, digest: Any) -> str:
    """Return `1,687  161e2738ecfd1f25`: a number of rows, and their digest."""
    return "  ".join(part for part in ("" if count is None else f"{count:,}", _shorten_digest(digest)) if part)


def _shorten_digest(digest: Any) -> str:
    return str(digest)[:16] if digest else ""


def build_specialists_json(
    entries: Sequence[SpecialistEntry], runs: Mapping[str, RunSummary]
) -> list[dict[str, Any]]:
    """Return the specialists as JSON data."""
    rows = []
    for entry in entries:
        version = entry.version
        run = runs.get(version.run) or RunSummary(version.run)
        rows.append({
            "specialist": version.name, "version": version.number, "aliases": list(entry.aliases),
            "verdict": version.verdict, "metric": run.metric, "score": run.score, "baseline": run.baseline,
            "difference": run.difference, "run": version.run, "created": version.created, "bytes": entry.size_bytes,
            "there": version.is_stored, "bundle": str(version.bundle), "base": entry.manifest.get("base"),
            "digests": entry.manifest.get("digests"),
        })
    return rows
