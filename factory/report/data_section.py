"""Data section of the run report: sources, splits, data funnel, expert review, leakage and preflight checks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from factory.report.funnel_table import render_funnel_table
from factory.report.html import (
    Child,
    Markup,
    join_markup,
    render_element,
    render_fact_list,
    render_html_table,
    render_section,
)
from factory.report.review_section import render_review_summary
from factory.runs.profile import read_funnel
from factory.runs.profile.funnel import find_final_stage
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting

MAX_DROPPED_EXAMPLES = 12
"""Maximum number of dropped rows shown as examples."""


def render_data_section(evidence: RunOutputs) -> Markup:
    """Render the data section, in the order of the stages."""
    review = evidence.read_stage_json("review")
    return render_section(
        "Data", "data", _render_licences_table(evidence.read_stage_json("gather")),
        _render_base_facts(evidence.read_stage_json("base")),
        _render_splits_table(evidence.read_stage_json("freeze")), _render_data_funnel(evidence),
        join_markup(render_element("h3", "Expert review"), render_review_summary(review)) if review else None,
        _render_leakage_proof(evidence.read_stage_json("curate")),
        _render_preflight_checks(evidence.read_stage_json("preflight")),
    )


def _render_licences_table(gather: Mapping[str, Any]) -> Markup:
    rows = [_build_source_cells(source) for source in gather.get("sources", [])]
    if not rows:
        return Markup("")
    table = render_html_table(["source", "rows", "side tables", "licence"], rows, numbers=(1,))
    return join_markup(render_element("h3", "Sources and licences"), table)


def _build_source_cells(source: Mapping[str, Any]) -> list[Child]:
    tables = ", ".join(f"{name} {count}" for name, count in source.get("tables", {}).items())
    licence = ", ".join(source.get("licences", [])) or render_element("span", "not stated", class_="warn")
    return [source.get("kind", ""), source.get("rows", ""), tables, licence]


def _render_base_facts(base: Mapping[str, Any]) -> Markup:
    if not base:
        return Markup("")
    pairs: list[tuple[str, Child]] = [
        ("base model", base.get("id")), ("revision", base.get("revision")), ("base licence", base.get("licence")),
    ]
    return render_fact_list([*pairs, ("digest", render_element("code", str(base.get("digest", ""))[:16]))])


def _render_splits_table(freeze: Mapping[str, Any]) -> Markup:
    counts, groups, digests = (freeze.get(k, {}) for k in ("counts", "groups", "digests"))
    rows: list[list[Child]] = [
        [split, counts[split], groups.get(split, ""), render_element("code", str(digests.get(split, ""))[:16])]
        for split in ("train", "validation", "test")
        if split in counts
    ]
    if not rows:
        return Markup("")
    text = (
        "Held-out test and validation rows (frozen) were split off first, by group, and their digests recorded; "
        "no rows were added to them afterwards."
    )
    table = render_html_table(["split", "rows", "groups", "digest"], rows, numbers=(1, 2))
    return join_markup(render_element("h3", "Split"), render_element("p", text, class_="soft"), table)


def _render_data_funnel(evidence: RunOutputs) -> Markup:
    """Render rows in and out of each step, with examples of dropped rows."""
    table = render_funnel_table(read_funnel(evidence))
    if not table:
        return Markup("")
    return join_markup(render_element("h3", "Data funnel"), table, _render_dropped_examples(evidence))


def _render_dropped_examples(evidence: RunOutputs) -> Markup:
    lines = evidence.read_stage_lines(find_final_stage(evidence), "dropped.jsonl")
    dropped = list(islice(lines, MAX_DROPPED_EXAMPLES))
    if not dropped:
        return Markup("")
    rows: list[list[Child]] = [
        [d["row"]["id"], d.get("step", ""), d.get("why", ""), d.get("twin", "")] for d in dropped
    ]
    title = "Dropped rows" if len(dropped) < MAX_DROPPED_EXAMPLES else f"First {MAX_DROPPED_EXAMPLES} dropped rows"
    table = render_html_table(["row", "step", "reason", "matches"], rows)
    return render_element("details", render_element("summary", title), table)


def _render_leakage_proof(curate: Mapping[str, Any]) -> Markup:
    proof = curate.get("leakage")
    if not proof:
        return Markup("")
    leaked = sum(int(proof.get(k, 0)) for k in ("test_groups_in_training", "exact", "near", "semantic"))
    passed = "No training row matches a held-out row (frozen)."
    failed = f"{leaked} training rows are too similar to held-out rows (frozen)."
    dropped = ", ".join(f"{name} {count}" for name, count in (proof.get("dropped") or {}).items())
    return join_markup(
        render_element("h3", "Leakage"),
        render_element("p", failed if leaked else passed, class_="bad" if leaked else "good"),
        render_fact_list(
            [
                ("test groups in training", proof.get("test_groups_in_training", 0)),
                ("exact duplicates", proof.get("exact", 0)),
                (f"near duplicates (Jaccard ≥ {proof.get('threshold', '')})", proof.get("near", 0)),
                (f"semantic duplicates (cosine ≥ {proof.get('semantic_threshold', '')})", proof.get("semantic")),
                ("held-out texts in training rows before curation", proof.get("repeats")),
                ("pairs compared", proof.get("compared")), ("dropped for leakage", dropped),
            ]
        ),
    )


def _render_preflight_checks(preflight: Mapping[str, Any]) -> Markup:
    checks = preflight.get("checks", [])
    if not checks:
        return Markup("")
    rows: list[list[Child]] = [
        [check["check"], check["rows"], formatting.format_percent(check["share"]),
         formatting.format_percent(check["limit"]),
         render_element("span", "passed", class_="good") if check["passed"] else
         render_element("span", "failed", class_="bad")]
        for check in checks
    ]
    examples = [e for check in checks for e in (_render_check_examples(check),) if e]
    text = f"{preflight.get('rows', '')} tokenised training rows were checked before training."
    heads: list[Child] = ["check", "failing rows", "share", "limit", ""]
    intro = render_element("p", text, class_="soft")
    table = render_html_table(heads, rows, numbers=(1, 2, 3))
    return join_markup(render_element("h3", "Preflight"), intro, table, *examples)


def _render_check_examples(check: Mapping[str, Any]) -> Markup:
    rows: list[list[Child]] = [[e.get("row", ""), e.get("text", "")] for e in check.get("examples", [])]
    if not rows:
        return Markup("")
    title = render_element("summary", f"Rows that fail {check['check']}")
    return render_element("details", title, render_html_table(["row", "text"], rows))
