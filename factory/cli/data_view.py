"""Rows on a terminal: the funnel, spreads as bars, samples, and the history of one row."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from factory.cli import output
from factory.cli.output import style_bold, style_dim
from factory.views.formatting import clean_line, format_count, format_number, join_names

if TYPE_CHECKING:
    from factory.runs.profile import (
        DataProfile,
        Distribution,
        FunnelStep,
        Histogram,
        RowLineage,
        RowSample,
        ValueCounts,
    )

BAR_BLOCKS = " ▏▎▍▌▋▊▉█"
BAR_WIDTH, WIDTH = 28, 100
MAX_REASONS = 3
"""Reasons of a step that are shown."""


def format_bar(share: float, width: int = BAR_WIDTH) -> str:
    """A filled part of a line, to an eighth of a letter; what is not nothing is seen."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(max(eighths, 1 if share > 0 else 0), 8)
    return "█" * full + (BAR_BLOCKS[rest] if rest else "")


def format_data_profile(portrait: DataProfile) -> Iterator[str]:
    """The whole portrait, part by part."""
    yield f"{style_bold(portrait.run_outputs.run.name)} {style_dim(portrait.task.kind)}\n"
    yield format_funnel_table(portrait.funnel)
    yield from format_leakage_proof(portrait.leakage, portrait.run_outputs.read_stage_json("curate").get("tests", []))
    for spread in portrait.distributions:
        yield f"\n{format_distribution(spread)}"
    yield from _format_sample_list("rows that stay", portrait.training_samples)
    yield from _format_sample_list("rows that went", portrait.removal_samples)


def format_funnel_table(steps: Sequence[FunnelStep]) -> str:
    """A line a step: what it took or added, what is there after it."""
    most = max([step.rows for step in steps] or [1]) or 1
    rows = [
        [step.stage, clean_line(step.step, 30), _format_step_change(step), f"{step.rows:,}", format_bar(step.rows / most), _format_step_reasons(step)]
        for step in steps
    ]
    return output.format_table(["stage", "step", "change", "rows", "", "because"], rows, right=(2, 3))


def _format_step_change(step: FunnelStep) -> str:
    parts = [f"+{step.added:,}" if step.added else "", f"−{step.dropped:,}" if step.dropped else "",
             f"~{step.changed:,}" if step.changed else ""]
    return " ".join(part for part in parts if part) or "0"


def _format_step_reasons(step: FunnelStep) -> str:
    reasons = list(step.reasons.items())
    said = ", ".join(f"{clean_line(why, 60)} {rows:,}" for why, rows in reasons[:MAX_REASONS])
    return f"{said}, {len(reasons) - MAX_REASONS} more" if len(reasons) > MAX_REASONS else said


def format_leakage_proof(leakage: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whether anything of the frozen rows is in training, and what the spec's own tests of data found."""
    if leakage:
        left = sum(int(leakage.get(name, 0)) for name in ("test_groups_in_training", "exact", "near", "semantic"))
        gone = sum((leakage.get("dropped") or {}).values())
        yield "\n" + (f"{left} training rows are too close to frozen rows" if left else
                      f"nothing of the frozen rows is in training ({gone} rows were dropped for it)")
    if leakage.get("repeats"):
        yield f"{leakage['repeats']} texts of frozen rows stood word for word in training rows, as they came"
    for test in tests:
        limits = ", ".join(f"{name} {test[name]:g}" for name in ("min", "max") if test.get(name) is not None)
        yield f"data.require {clean_line(test.get('metric', ''))}: {format_number(test.get('value'))} ({limits})"


def format_distribution(spread: Distribution) -> str:
    """A histogram or counts, with a bar each."""
    from factory.runs.profile import Histogram

    return _format_histogram(spread) if isinstance(spread, Histogram) else _format_value_counts(spread)


def _format_histogram(spread: Histogram) -> str:
    facts = f"median {spread.median:g}, 95 % up to {spread.p95:g}, most {spread.most:g} {spread.unit}"
    head = f"{style_bold(clean_line(spread.title))}  {facts.rstrip()}"
    most = max(each.rows for each in spread.bins) or 1
    return "\n".join([head, *_format_bar_lines([(each.name, each.rows) for each in spread.bins], most)])


def _format_value_counts(spread: ValueCounts) -> str:
    values, (left, rows) = spread.values, spread.others
    head = f"{style_bold(clean_line(spread.title))}  {format_count(len(values) + left, 'value')}"
    more = [style_dim(f"  and {left} more values with {rows:,} rows")] if left else []
    most = max([each for _, each in values] or [1])
    return "\n".join([head, *_format_bar_lines([(clean_line(name, 40), each) for name, each in values], most), *more])


def _format_bar_lines(lines: Sequence[tuple[str, int]], most: int) -> list[str]:
    cells = [["", name, f"{rows:,}", format_bar(rows / most)] for name, rows in lines]
    return output.format_table(["", "", "", ""], cells, right=(2,)).splitlines()[1:]


def _format_sample_list(title: str, samples: Sequence[RowSample]) -> Iterator[str]:
    if samples:
        yield f"\n{style_bold(title)}"
    for sample in samples:
        yield from _format_sample(sample)


def _format_sample(sample: RowSample) -> Iterator[str]:
    why = f"{sample.step}: {sample.why}" if sample.why else ""
    yield f"{sample.id}  {style_dim(clean_line(sample.origin))}{f'  {clean_line(why, 90)}' if why else ''}"
    yield from wrap_paragraph(sample.text, "  ")
    if sample.twin:
        yield f"  {style_dim(f'repeats {clean_line(sample.twin)}')}"
        yield from wrap_paragraph(sample.twin_text, "    ")


def wrap_paragraph(text: str, indent: str) -> Iterator[str]:
    """The lines of a text, wrapped, without what could steer the terminal."""
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    for line in text.splitlines():
        yield textwrap.fill(clean_line(line), width, initial_indent=indent, subsequent_indent=indent)


def format_row_history(history: RowLineage, depth: int = 0) -> Iterator[str]:
    """One row with all that is known of it, and its parents below it."""
    row, made, pad = history.row, history.row.provenance, "  " * depth
    yield f"{pad}{style_bold(row.id)}  {history.state}"
    if history.why:
        twin = f" ({clean_line(history.twin)})" if history.twin else ""
        yield f"{pad}  dropped by {history.step}: {clean_line(history.why)}{twin}"
    facts = {
        "source": f"{made.source}:{made.line}" if made.line else made.source, "licence": made.licence,
        "generator": made.generator, "group": row.group, "split": row.split, "content": history.key,
        **{name: _format_column_value(value) for name, value in made.detail.items()},
        "reviewed": join_names([f"{who} {word.verdict}" for who, word in sorted(history.decisions.items())]),
    }
    yield from (f"{pad}  {style_dim(name)} {clean_line(value)}" for name, value in facts.items() if value)
    for name, value in row.columns.items():
        yield f"{pad}  {style_dim(name)}"
        yield from wrap_paragraph(_format_column_value(value), f"{pad}    ")
    if history.parents:
        yield f"{pad}  {style_dim('made from')}"
    for parent in history.parents:
        yield from format_row_history(parent, depth + 2)


def _format_column_value(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
