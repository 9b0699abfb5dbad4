"""The report's account of the data: where rows come from, what was dropped, that nothing leaked, what preflight saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.evidence import RunOutputs
from factory.portrait import read_funnel
from factory.portrait.steps import find_final_stage
from factory.report import words
from factory.report.funnel import funnel
from factory.report.html import Child, Markup, facts, join, section, table, tag
from factory.report.reviewed import review

REASONS = 12
"""Dropped rows that are shown as examples."""


def data(evidence: RunOutputs) -> Markup:
    """All about the rows, in the order in which the stages handled them."""
    return section(
        "The data",
        "data",
        _sources(evidence.read_stage_json("gather")),
        _base(evidence.read_stage_json("base")),
        _splits(evidence.read_stage_json("freeze")),
        _funnel(evidence),
        _reviewed(evidence.read_stage_json("review")),
        _leakage(evidence.read_stage_json("curate")),
        _preflight(evidence.read_stage_json("preflight")),
    )


def _sources(gather: Mapping[str, Any]) -> Markup:
    rows = [_source(source) for source in gather.get("sources", [])]
    if not rows:
        return Markup("")
    return join(
        tag("h3", "Sources and licences"), table(["source", "rows", "side tables", "licence"], rows, numbers=(1,))
    )


def _source(source: Mapping[str, Any]) -> list[Child]:
    tables = ", ".join(f"{name} {count}" for name, count in source.get("tables", {}).items())
    licence = ", ".join(source.get("licences", [])) or tag("span", "not stated", class_="warn")
    return [source.get("kind", ""), source.get("rows", ""), tables, licence]


def _base(base: Mapping[str, Any]) -> Markup:
    if not base:
        return Markup("")
    pairs: list[tuple[str, Child]] = [
        ("base model", base.get("id")),
        ("revision", base.get("revision")),
        ("its licence", base.get("licence")),
    ]
    return facts([*pairs, ("digest", tag("code", str(base.get("digest", ""))[:16]))])


def _splits(freeze: Mapping[str, Any]) -> Markup:
    counts, groups, digests = (freeze.get(k, {}) for k in ("counts", "groups", "digests"))
    rows: list[list[Child]] = [
        [split, counts[split], groups.get(split, ""), tag("code", str(digests.get(split, ""))[:16])]
        for split in ("train", "validation", "test")
        if split in counts
    ]
    if not rows:
        return Markup("")
    said = tag(
        "p",
        "Test and validation rows were taken first, by group, and hashed; nothing was added to them since.",
        class_="soft",
    )
    return join(tag("h3", "Split"), said, table(["split", "rows", "groups", "digest"], rows, numbers=(1, 2)))


def _funnel(evidence: RunOutputs) -> Markup:
    """Rows in and out of each step, from the sources to what was trained on, with some of those dropped."""
    drawn = funnel(steps(evidence))
    return join(tag("h3", "From rows to training rows"), drawn, _dropped(evidence)) if drawn else Markup("")


def _dropped(evidence: RunOutputs) -> Markup:
    found = [line for line, _ in zip(evidence.read_stage_lines(find_final_stage(evidence), "dropped.jsonl"), range(REASONS), strict=False)]
    if not found:
        return Markup("")
    rows: list[list[Child]] = [[d["row"]["id"], d.get("step", ""), d.get("why", ""), d.get("twin", "")] for d in found]
    return tag(
        "details",
        tag(
            "summary",
            "Rows that were dropped" if len(found) < REASONS else f"The first {REASONS} rows that were dropped",
        ),
        table(["row", "step", "why", "twin"], rows),
    )


def _reviewed(facts: Mapping[str, Any]) -> Markup:
    return join(tag("h3", "What experts said"), review(facts)) if facts else Markup("")


def _leakage(curate: Mapping[str, Any]) -> Markup:
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
    return join(
        tag("h3", "Leakage"),
        tag("p", said, class_="good" if leaked == 0 else "bad"),
        facts(
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


def _preflight(preflight: Mapping[str, Any]) -> Markup:
    checks = preflight.get("checks", [])
    if not checks:
        return Markup("")
    rows: list[list[Child]] = [
        [
            check["check"],
            check["rows"],
            words.percent(check["share"]),
            words.percent(check["limit"]),
            tag("span", "passed" if check["passed"] else "failed", class_="good" if check["passed"] else "bad"),
        ]
        for check in checks
    ]
    examples = [e for check in checks for e in (_examples(check),) if e]
    said = tag("p", f"{preflight.get('rows', '')} tokenised training rows were audited before training.", class_="soft")
    heads: list[Child] = ["check", "rows that fail it", "share", "limit", ""]
    return join(tag("h3", "Preflight"), said, table(heads, rows, numbers=(1, 2, 3)), *examples)


def _examples(check: Mapping[str, Any]) -> Markup:
    rows: list[list[Child]] = [[e.get("row", ""), e.get("text", "")] for e in check.get("examples", [])]
    return (
        tag("details", tag("summary", f"Rows of “{check['check']}”"), table(["row", "what"], rows))
        if rows
        else Markup("")
    )
