"""Data section of the run report: sources, splits, data funnel, expert review, leakage and preflight checks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from factory.report.elements import render_table
from factory.report.html import (
    Markup,
    join_markup,
    render_element,
    render_fact_list,
    render_html_table,
    render_section,
    render_subsection,
)
from factory.report.review_section import render_review_summary
from factory.runs.profile import read_funnel
from factory.runs.profile.funnel import find_final_stage
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting
from factory.views.data import build_funnel_table, build_preflight_table, describe_leakage

MAX_DROPPED_EXAMPLES = 12
"""Maximum number of dropped rows shown as examples."""


def render_data_section(evidence: RunOutputs) -> Markup:
    """Render the data section, in the order of the stages."""
    funnel = render_table(build_funnel_table(read_funnel(evidence)))
    return render_section(
        "Data", "data",
        render_subsection("Sources and licences", render_sources_table(evidence.read_stage_json("gather"))),
        _render_base_facts(evidence.read_stage_json("base")), _render_splits_table(evidence.read_stage_json("freeze")),
        render_subsection("Data funnel", funnel, _render_dropped_examples(evidence)) if funnel else None,
        render_subsection("Expert review", render_review_summary(evidence.read_stage_json("review"))),
        render_subsection("Leakage", render_leakage_proof(evidence.read_stage_json("curate").get("leakage"))),
        _render_preflight_checks(evidence.read_stage_json("preflight")),
    )


def render_sources_table(gather: Mapping[str, Any]) -> Markup:
    """Render each source with its rows, side tables, licence, and invalid records that were skipped."""
    rows = []
    for source in gather.get("sources", []):
        tables = ", ".join(f"{name} {count:,}" for name, count in source.get("tables", {}).items())
        licence = ", ".join(source.get("licences", [])) or render_element("span", "not stated", class_="warn")
        skipped = source.get("skipped") or {}
        count = render_element("b", f"{skipped['rows']:,} ") if skipped.get("rows") else None
        reasons = "; ".join(map(str, skipped.get("first", []))) if count else ""
        rows.append([
            source.get("kind", ""), f"{source.get('rows', 0):,}", tables, licence, join_markup(count, reasons),
        ])
    return render_html_table(["source", "rows", "side tables", "licence", "skipped"], rows, numbers=(1,))


def _render_base_facts(base: Mapping[str, Any]) -> Markup:
    if not base:
        return Markup("")
    digest = render_element("code", str(base.get("digest", ""))[:16])
    return render_fact_list({
        "base model": base.get("id"), "revision": base.get("revision"), "base licence": base.get("licence"),
        "digest": digest,
    })


def _render_splits_table(freeze: Mapping[str, Any]) -> Markup:
    counts, groups, digests = (freeze.get(k, {}) for k in ("counts", "groups", "digests"))
    rows = [
        [split, counts[split], groups.get(split, ""), render_element("code", str(digests.get(split, ""))[:16])]
        for split in ("train", "validation", "test") if split in counts
    ]
    if not rows:
        return Markup("")
    text = (
        "Held-out test and validation rows (frozen) were split off first, by group, and their digests recorded; "
        "no rows were added to them afterwards."
    )
    table = render_html_table(["split", "rows", "groups", "digest"], rows, numbers=(1, 2))
    return render_subsection("Split", render_element("p", text, class_="soft"), table)


def _render_dropped_examples(evidence: RunOutputs) -> Markup:
    lines = evidence.read_stage_lines(find_final_stage(evidence), "dropped.jsonl")
    rows = [
        [line["row"]["id"], line.get("step", ""), line.get("why", ""), line.get("twin", "")]
        for line in islice(lines, MAX_DROPPED_EXAMPLES)
    ]
    if not rows:
        return Markup("")
    title = "Dropped rows" if len(rows) < MAX_DROPPED_EXAMPLES else f"First {MAX_DROPPED_EXAMPLES} dropped rows"
    table = render_html_table(["row", "step", "reason", "matches"], rows)
    return render_element("details", render_element("summary", title), table)


def render_leakage_proof(proof: Mapping[str, Any] | None) -> Markup:
    """Render whether training rows match held-out rows, with the counts; empty without a proof."""
    if not proof:
        return Markup("")
    dropped = ", ".join(f"{name} {count}" for name, count in (proof.get("dropped") or {}).items() if count)
    facts = render_fact_list({
        "test groups in training": proof.get("test_groups_in_training", 0),
        "exact duplicates": proof.get("exact", 0),
        f"near duplicates (Jaccard ≥ {proof.get('threshold', '')})": proof.get("near", 0),
        f"semantic duplicates (cosine ≥ {proof.get('semantic_threshold', '')})": proof.get("semantic"),
        "held-out texts in training rows before curation": proof.get("repeats"),
        "pairs compared": proof.get("compared"),
        "dropped for leakage": dropped or "none",
    })
    sentence = describe_leakage(proof)
    return join_markup(render_element("p", sentence.text, class_=sentence.tone), facts)


def _render_preflight_checks(preflight: Mapping[str, Any]) -> Markup:
    checks = preflight.get("checks", [])
    if not checks:
        return Markup("")
    text = f"{formatting.format_count(preflight.get('rows', 0), 'tokenised training row')} checked before training."
    table = render_table(build_preflight_table(preflight).select(("check", "rows", "share", "limit", "result")))
    examples = map(_render_check_examples, checks)
    return render_subsection("Preflight", render_element("p", text, class_="soft"), table, *examples)


def _render_check_examples(check: Mapping[str, Any]) -> Markup:
    table = render_html_table(
        ["row", "text"], [[row.get("row", ""), row.get("text", "")] for row in check.get("examples", [])]
    )
    title = render_element("summary", f"Rows that fail {check['check']}")
    return render_element("details", title, table) if table else Markup("")
