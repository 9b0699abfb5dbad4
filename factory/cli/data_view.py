"""Rows as terminal text: the data funnel, distributions as bars, samples, and the history of one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.cli import output
from factory.cli.output import style_bold, style_dim
from factory.runs.profile import DataProfile, Histogram, RowLineage, RowSample, ValueCounts
from factory.views.data import build_funnel_table, build_preflight_table, describe_leakage
from factory.views.elements import BAR_WIDTH, draw_blocks
from factory.views.formatting import clean_line, format_count, format_number, format_text_or_json, join_names


def format_data_profile(profile: DataProfile) -> Iterator[str]:
    """Yield every section of a data profile."""
    yield f"{style_bold(profile.run_outputs.run.name)} {style_dim(profile.task.kind)}\n"
    yield output.format_table(build_funnel_table(profile.funnel))
    yield from format_leakage_proof(profile.leakage, profile.run_outputs.read_stage_json("curate").get("tests", []))
    yield from _format_audit(profile.audit)
    for item in profile.distributions:
        yield f"\n{_format_histogram(item) if isinstance(item, Histogram) else _format_value_counts(item)}"
    yield from _format_sample_list("kept rows (sample)", profile.training_samples)
    yield from _format_sample_list("dropped rows (sample)", profile.removal_samples)


def format_leakage_proof(leakage: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the result of the leakage check, and those of the data requirements of the spec (`data.require`)."""
    if leakage:
        dropped = sum((leakage.get("dropped") or {}).values())
        yield f"\n{describe_leakage(leakage).text} {format_count(dropped, 'row')} dropped for it."
    if leakage.get("repeats"):
        repeats = format_count(leakage["repeats"], "text")
        yield f"before curation, {repeats} of held-out rows also occurred in training rows"
    for test in tests:
        limits = ", ".join(f"{name} {test[name]:g}" for name in ("min", "max") if test.get(name) is not None)
        yield f"data.require {clean_line(test.get('metric', ''))}: {format_number(test.get('value'))} ({limits})"


def _format_audit(audit: Mapping[str, Any]) -> Iterator[str]:
    """Yield the checks of training and frozen rows that found something, as preflight reports them."""
    checks = audit.get("checks") or []
    if checks:
        yield f"\n{style_bold('checks of the rows')}"
        yield output.format_table(build_preflight_table(audit))
    elif audit and not audit.get("failure"):
        yield "\nThe checks of training, validation and test rows found nothing."


def _format_histogram(histogram: Histogram) -> str:
    summary = f"median {histogram.median:g}, p95 {histogram.p95:g}, max {histogram.most:g} {histogram.unit}"
    head = f"{style_bold(clean_line(histogram.title))}  {summary.rstrip()}"
    return "\n".join([head, *_format_bar_lines([(bin.name, bin.rows) for bin in histogram.bins])])


def _format_value_counts(counts: ValueCounts) -> str:
    values, (hidden, hidden_rows) = counts.values, counts.others
    head = f"{style_bold(clean_line(counts.title))}  {format_count(len(values) + hidden, 'value')}"
    rest = f"  and {format_count(hidden, 'more value')} in {format_count(hidden_rows, 'row')}"
    lines = _format_bar_lines([(clean_line(name, 40), rows) for name, rows in values])
    return "\n".join([head, *lines, *([style_dim(rest)] if hidden else [])])


def _format_bar_lines(counts: Sequence[tuple[str, int]]) -> list[str]:
    largest = max([rows for _, rows in counts] or [1]) or 1
    bars = [draw_blocks(rows / largest, BAR_WIDTH, always_visible=True) for _, rows in counts]
    cells = [["", name, f"{rows:,}", bar] for (name, rows), bar in zip(counts, bars, strict=True)]
    return output.format_rows(["", "", "", ""], cells, right=(2,)).splitlines()


def _format_sample_list(title: str, samples: Sequence[RowSample]) -> Iterator[str]:
    if samples:
        yield f"\n{style_bold(title)}"
    for sample in samples:
        why = f"  {clean_line(f'{sample.step}: {sample.why}', 90)}" if sample.why else ""
        yield f"{sample.id}  {style_dim(clean_line(sample.origin))}{why}"
        yield from _wrap_lines(sample.text, "  ")
        if sample.twin:
            yield f"  {style_dim(f'matches {clean_line(sample.twin)}')}"
            yield from _wrap_lines(sample.twin_text, "    ")


def _wrap_lines(text: str, indent: str) -> Iterator[str]:
    yield from (output.fill_line(line, indent, indent) for line in text.splitlines())


def format_row_history(history: RowLineage, depth: int = 0) -> Iterator[str]:
    """Yield everything recorded about a row, then the rows it was derived from, indented."""
    row, provenance, indent = history.row, history.row.provenance, "  " * depth
    yield f"{indent}{style_bold(row.id)}  {history.state}"
    if history.why:
        twin = f" ({clean_line(history.twin)})" if history.twin else ""
        yield f"{indent}  dropped by {history.step}: {clean_line(history.why)}{twin}"
    facts = {
        "source": f"{provenance.source}:{provenance.line}" if provenance.line else provenance.source,
        "licence": provenance.licence, "generator": provenance.generator, "group": row.group, "split": row.split,
        "content": history.key, **{name: format_text_or_json(value) for name, value in provenance.detail.items()},
        "reviewed": join_names([f"{who} {decision.verdict}" for who, decision in sorted(history.decisions.items())]),
    }
    yield from (f"{indent}  {style_dim(name)} {clean_line(value)}" for name, value in facts.items() if value)
    for name, value in row.columns.items():
        yield f"{indent}  {style_dim(name)}"
        yield from _wrap_lines(format_text_or_json(value), f"{indent}    ")
    if history.parents:
        yield f"{indent}  {style_dim('derived from')}"
    for parent in history.parents:
        yield from format_row_history(parent, depth + 2)
