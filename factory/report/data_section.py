"""The report's account of the data: where rows come from, what was dropped, that nothing leaked, what preflight saw."""

from __future__ import annotations

from collections.abc import Mapping
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
"""Dropped rows that are shown as examples."""


def render_data_section(evidence: RunOutputs) -> Markup:
    """All about the rows, in the order in which the stages handled them."""
    return render_section(
        "The data",
        "data",
        _render_licences_table(evidence.read_stage_json("gather")),
        _render_base_facts(evidence.read_stage_json("base")),
        _render_splits_table(evidence.read_stage_json("freeze")),
        _render_data_funnel(evidence),
        _render_expert_review(evidence.read_stage_json("review")),
        _render_leakage_proof(evidence.read_stage_json("curate")),
        _render_preflight_checks(evidence.read_stage_json("preflight")),
    )


def _render_licences_table(gather: Mapping[str, Any]) -> Markup:
    rows = [_build_source_cells(source) for source in gather.get("sources", [])]
    if not rows:
        return Markup("")
    return join_markup(
        render_element("h3", "Sources and licences"), render_html_table(["source", "rows", "side tables", "licence"], rows, numbers=(1,))
    )


def _build_source_cells(source: Mapping[str, Any]) -> list[Child]:
    tables = ", ".join(f"{name} {count}" for name, count in source.get("tables", {}).items())
    licence = ", ".join(source.get("licences", [])) or render_element("span", "not stated", class_="warn")
    return [source.get("kind", ""), source.get("rows", ""), tables, licence]


def _render_base_facts(base: Mapping[str, Any]) -> Markup:
    if not base:
        return Markup("")
    pairs: list[tuple[str, Child]] = [
        ("base model", base.get("id")),
        ("revision", base.get("revision")),
        ("its licence", base.get("licence")),
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
    said = render_element(
        "p",
        "Test and validation rows were taken first, by group, and hashed; nothing was added to them since.",
        class_="soft",
    )
    return join_markup(render_element("h3", "Split"), said, render_html_table(["split", "rows", "groups", "digest"], rows, numbers=(1, 2)))


def _render_data_funnel(evidence: RunOutputs) -> Markup:
    """Rows in and out of each step, from the sources to what was trained on, with some of those dropped."""
    drawn = render_funnel_table(read_funnel(evidence))
    return join_markup(render_element("h3", "From rows to training rows"), drawn, _render_dropped_examples(evidence)) if drawn else Markup("")


def _render_dropped_examples(evidence: RunOutputs) -> Markup:
    found = [line for line, _ in zip(evidence.read_stage_lines(find_final_stage(evidence), "dropped.jsonl"), range(MAX_DROPPED_EXAMPLES), strict=False)]
    if not found:
        return Markup("")
    rows: list[list[Child]] = [[d["row"]["id"], d.get("step", ""), d.get("why", ""), d.get("twin", "")] for d in found]
    return render_element(
        "details",
        render_element(
            "summary",
            "Rows that were dropped" if len(found) < MAX_DROPPED_EXAMPLES else f"The first {MAX_DROPPED_EXAMPLES} rows that were dropped",
        ),
        render_html_table(["row", "step", "why", "twin"], rows),
    )


def _render_expert_review(facts: Mapping[str, Any]) -> Markup:
    return join_markup(render_element("h3", "What experts said"), render_review_summary(facts)) if facts else Markup("")


def _render_leakage_proof(curate: Mapping[str, Any]) -> Markup:
    proof = curate.get("leakage")
    if not proof:
        return Markup("")
    leaked = sum(int(proof.get(k, 0)) for k in ("test_groups_in_training", "exact", "near", "semantic"))
    said = (
        "Nothing of the test rows is in training."
        if leaked == 0
        else f"{leaked} training rows are too close to test rows."
    )
    dropped = ", ".join(f"{name} {count}" for name, count in (proof.get("dropped") or {}).items())
    return join_markup(
        render_element("h3", "Leakage"),
        render_element("p", said, class_="good" if leaked == 0 else "bad"),
        render_fact_list(
            [
                ("test groups in training", proof.get("test_groups_in_training", 0)),
                ("exact duplicates", proof.get("exact", 0)),
                (f"near duplicates (similarity ≥ {proof.get('threshold', '')})", proof.get("near", 0)),
                (f"like in meaning (cosine ≥ {proof.get('semantic_threshold', '')})", proof.get("semantic")),
                ("texts of test rows in training rows, as they came", proof.get("repeats")),
                ("pairs compared", proof.get("compared")),
                ("dropped on the way", dropped),
            ]
        ),
    )


def _render_preflight_checks(preflight: Mapping[str, Any]) -> Markup:
    checks = preflight.get("checks", [])
    if not checks:
        return Markup("")
    rows: list[list[Child]] = [
        [
            check["check"],
            check["rows"],
            formatting.format_percent(check["share"]),
            formatting.format_percent(check["limit"]),
            render_element("span", "passed" if check["passed"] else "failed", class_="good" if check["passed"] else "bad"),
        ]
        for check in checks
    ]
    examples = [e for check in checks for e in (_render_check_examples(check),) if e]
    said = render_element("p", f"{preflight.get('rows', '')} tokenised training rows were audited before training.", class_="soft")
    heads: list[Child] = ["check", "rows that fail it", "share", "limit", ""]
    return join_markup(render_element("h3", "Preflight"), said, render_html_table(heads, rows, numbers=(1, 2, 3)), *examples)


def _render_check_examples(check: Mapping[str, Any]) -> Markup:
    rows: list[list[Child]] = [[e.get("row", ""), e.get("text", "")] for e in check.get("examples", [])]
    return (
        render_element("details", render_element("summary", f"Rows of “{check['check']}”"), render_html_table(["row", "what"], rows))
        if rows
        else Markup("")
    )
