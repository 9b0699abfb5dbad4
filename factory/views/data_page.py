"""The data of a run as a page: sources, splits, funnel, review, leakage and preflight, in the order of the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from factory.runs.profile import read_funnel
from factory.runs.profile.funnel import find_final_stage
from factory.runs.run_outputs import RunOutputs
from factory.views.data import build_funnel_table, build_preflight_table, describe_leakage
from factory.views.elements import Column, Table, TableRow, Text, make_text_row
from factory.views.formatting import format_count, format_number
from factory.views.review_summary import ReviewView, build_review_view

MAX_DROPPED_EXAMPLES, DIGEST_LETTERS = 12, 16
CHECKED_ROW = "tokenised training row"
SOURCE_COLUMNS = (
    Column("source"), Column("rows", align_right=True), Column("side tables"), Column("licence"), Column("skipped"),
)
SPLIT_COLUMNS = (
    Column("split"), Column("rows", align_right=True), Column("groups", align_right=True), Column("digest"),
)
DROPPED_COLUMNS = (Column("row"), Column("step"), Column("reason"), Column("matches"))
REQUIREMENT_COLUMNS = (Column("metric"), Column("value", align_right=True), Column("required"), Column("", key="facts"))
PREFLIGHT_COLUMNS = ("check", "rows", "share", "limit", "result")


@dataclass(frozen=True, slots=True)
class DataView:
    """What a page of the data shows. Texts and tables are empty where the run did not come so far."""

    sources: Table
    base: Mapping[str, Text]
    splits: Table
    funnel: Table
    dropped: Table
    """The first dropped rows."""
    dropped_title: str
    requirements: Table
    """The data requirements of the spec (`data.require`) with the measured values."""
    review: ReviewView
    leakage: Text
    leakage_facts: Mapping[str, str]
    preflight: Table
    preflight_summary: str
    failing: Mapping[str, Table]
    """Check → rows that fail it."""


def build_data_view(outputs: RunOutputs) -> DataView:
    """Compute the page from the outputs of the data stages."""
    curate, preflight = outputs.read_stage_json("curate"), outputs.read_stage_json("preflight")
    dropped, proof = _build_dropped_table(outputs), curate.get("leakage") or {}
    is_cut = len(dropped.rows) == MAX_DROPPED_EXAMPLES
    return DataView(
        sources=_build_sources_table(outputs.read_stage_json("gather")),
        base=_list_base_facts(outputs.read_stage_json("base")),
        splits=_build_splits_table(outputs.read_stage_json("freeze")),
        funnel=build_funnel_table(read_funnel(outputs)),
        dropped=dropped, dropped_title=f"First {MAX_DROPPED_EXAMPLES} dropped rows" if is_cut else "Dropped rows",
        requirements=_build_requirements_table(curate.get("tests", [])),
        review=build_review_view(outputs.read_stage_json("review")),
        leakage=describe_leakage(proof), leakage_facts=_list_leakage_facts(proof),
        preflight=build_preflight_table(preflight).select(PREFLIGHT_COLUMNS),
        preflight_summary=f"{format_count(preflight.get('rows', 0), CHECKED_ROW)} checked before training.",
        failing={str(check["check"]): _build_failing_table(check) for check in preflight.get("checks", [])},
    )


def _build_sources_table(gather: Mapping[str, Any]) -> Table:
    """Return each source with its rows, side tables, licence, and invalid records that were skipped."""
    return Table(SOURCE_COLUMNS, tuple(map(_make_source_row, gather.get("sources", []))))


def _make_source_row(source: Mapping[str, Any]) -> TableRow:
    tables = ", ".join(f"{name} {count:,}" for name, count in source.get("tables", {}).items())
    licences, skipped = ", ".join(source.get("licences", [])), source.get("skipped") or {}
    reasons = "; ".join(map(str, skipped.get("first", [])))
    count = (Text(f"{skipped['rows']:,}", "strong"), Text(reasons)) if skipped.get("rows") else Text("")
    licence = Text(licences) if licences else Text("not stated", "warn")
    kind = str(source.get("kind", ""))
    return make_text_row(kind, f"{source.get('rows', 0):,}", tables, licence, count)


def _list_base_facts(base: Mapping[str, Any]) -> Mapping[str, Text]:
    names = {"base model": "id", "revision": "revision", "base licence": "licence"}
    facts = {name: Text(str(base.get(key) or "")) for name, key in names.items()}
    return {name: text for name, text in {**facts, "digest": _make_digest(base.get("digest", ""))}.items() if text.text}


def _make_digest(digest: object) -> Text:
    return Text(str(digest)[:DIGEST_LETTERS], "code")


def _build_splits_table(freeze: Mapping[str, Any]) -> Table:
    counts, groups, digests = (freeze.get(name, {}) for name in ("counts", "groups", "digests"))
    return Table(SPLIT_COLUMNS, tuple(
        make_text_row(split, counts[split], groups.get(split, ""), _make_digest(digests.get(split, "")))
        for split in ("train", "validation", "test") if split in counts
    ))


def _build_dropped_table(outputs: RunOutputs) -> Table:
    lines = islice(outputs.read_stage_lines(find_final_stage(outputs), "dropped.jsonl"), MAX_DROPPED_EXAMPLES)
    return Table(DROPPED_COLUMNS, tuple(
        make_text_row(line["row"]["id"], *(line.get(name) or "" for name in ("step", "why", "twin"))) for line in lines
    ))


def _build_requirements_table(tests: Sequence[Mapping[str, Any]]) -> Table:
    return Table(REQUIREMENT_COLUMNS, tuple(
        make_text_row(
            str(test.get("metric", "")), format_number(test.get("value")),
            ", ".join(f"{name} {test[name]:g}" for name in ("min", "max") if test.get(name) is not None),
            str(test.get("facts", "")),
        )
        for test in tests
    ))


def _list_leakage_facts(proof: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the counts behind the proof of no leakage; empty without a proof."""
    if not proof:
        return {}
    dropped = ", ".join(f"{name} {count}" for name, count in (proof.get("dropped") or {}).items() if count)
    facts = {
        "test groups in training": proof.get("test_groups_in_training", 0),
        "exact duplicates": proof.get("exact", 0),
        f"near duplicates (Jaccard ≥ {proof.get('threshold', '')})": proof.get("near", 0),
        f"semantic duplicates (cosine ≥ {proof.get('semantic_threshold', '')})": proof.get("semantic"),
        "held-out texts in training rows before curation": proof.get("repeats"),
        "pairs compared": proof.get("compared"),
        "dropped for leakage": dropped or "none",
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _build_failing_table(check: Mapping[str, Any]) -> Table:
    return Table((Column("row"), Column("text")), tuple(
        make_text_row(str(example.get("row", "")), str(example.get("text", "")))
        for example in check.get("examples", [])
    ))
