"""Rows on a terminal: the funnel, spreads as bars, samples, and the history of one row."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from factory.cli import out
from factory.cli.out import dim, strong
from factory.report.words import clean, count, listed, number

if TYPE_CHECKING:
    from factory.portrait import ValueCounts, Histogram, RowLineage, DataProfile, RowSample, Distribution, FunnelStep

BLOCKS = " ▏▎▍▌▋▊▉█"
BAR, WIDTH = 28, 100
WHY = 3
"""Reasons of a step that are shown."""


def bar(share: float, width: int = BAR) -> str:
    """A filled part of a line, to an eighth of a letter; what is not nothing is seen."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(max(eighths, 1 if share > 0 else 0), 8)
    return "█" * full + (BLOCKS[rest] if rest else "")


def drawn(portrait: DataProfile) -> Iterator[str]:
    """The whole portrait, part by part."""
    yield f"{strong(portrait.run_outputs.run.name)} {dim(portrait.task.kind)}\n"
    yield funnel(portrait.funnel)
    yield from proof(portrait.leakage, portrait.run_outputs.read_stage_json("curate").get("tests", []))
    for spread in portrait.distributions:
        yield f"\n{told(spread)}"
    yield from _samples("rows that stay", portrait.training_samples)
    yield from _samples("rows that went", portrait.removal_samples)


def funnel(steps: Sequence[FunnelStep]) -> str:
    """A line a step: what it took or added, what is there after it."""
    most = max([step.rows for step in steps] or [1]) or 1
    rows = [
        [step.stage, clean(step.step, 30), _change(step), f"{step.rows:,}", bar(step.rows / most), _why(step)]
        for step in steps
    ]
    return out.table(["stage", "step", "change", "rows", "", "because"], rows, right=(2, 3))


def _change(step: FunnelStep) -> str:
    parts = [f"+{step.added:,}" if step.added else "", f"−{step.dropped:,}" if step.dropped else "",
             f"~{step.changed:,}" if step.changed else ""]
    return " ".join(part for part in parts if part) or "0"


def _why(step: FunnelStep) -> str:
    reasons = list(step.reasons.items())
    said = ", ".join(f"{clean(why, 60)} {rows:,}" for why, rows in reasons[:WHY])
    return f"{said}, {len(reasons) - WHY} more" if len(reasons) > WHY else said


def proof(leakage: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
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
        yield f"data.require {clean(test.get('metric', ''))}: {number(test.get('value'))} ({limits})"


def told(spread: Distribution) -> str:
    """A histogram or counts, with a bar each."""
    from factory.portrait import Histogram

    return _histogram(spread) if isinstance(spread, Histogram) else _counts(spread)


def _histogram(spread: Histogram) -> str:
    facts = f"median {spread.median:g}, 95 % up to {spread.p95:g}, most {spread.most:g} {spread.unit}"
    head = f"{strong(clean(spread.title))}  {facts.rstrip()}"
    most = max(each.rows for each in spread.bins) or 1
    return "\n".join([head, *_bars([(each.name, each.rows) for each in spread.bins], most)])


def _counts(spread: ValueCounts) -> str:
    values, (left, rows) = spread.values, spread.others
    head = f"{strong(clean(spread.title))}  {count(len(values) + left, 'value')}"
    more = [dim(f"  and {left} more values with {rows:,} rows")] if left else []
    most = max([each for _, each in values] or [1])
    return "\n".join([head, *_bars([(clean(name, 40), each) for name, each in values], most), *more])


def _bars(lines: Sequence[tuple[str, int]], most: int) -> list[str]:
    cells = [["", name, f"{rows:,}", bar(rows / most)] for name, rows in lines]
    return out.table(["", "", "", ""], cells, right=(2,)).splitlines()[1:]


def _samples(title: str, samples: Sequence[RowSample]) -> Iterator[str]:
    if samples:
        yield f"\n{strong(title)}"
    for sample in samples:
        yield from _sample(sample)


def _sample(sample: RowSample) -> Iterator[str]:
    why = f"{sample.step}: {sample.why}" if sample.why else ""
    yield f"{sample.id}  {dim(clean(sample.origin))}{f'  {clean(why, 90)}' if why else ''}"
    yield from paragraph(sample.text, "  ")
    if sample.twin:
        yield f"  {dim(f'repeats {clean(sample.twin)}')}"
        yield from paragraph(sample.twin_text, "    ")


def paragraph(text: str, indent: str) -> Iterator[str]:
    """The lines of a text, wrapped, without what could steer the terminal."""
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    for line in text.splitlines():
        yield textwrap.fill(clean(line), width, initial_indent=indent, subsequent_indent=indent)


def story(history: RowLineage, depth: int = 0) -> Iterator[str]:
    """One row with all that is known of it, and its parents below it."""
    row, made, pad = history.row, history.row.provenance, "  " * depth
    yield f"{pad}{strong(row.id)}  {history.state}"
    if history.why:
        twin = f" ({clean(history.twin)})" if history.twin else ""
        yield f"{pad}  dropped by {history.step}: {clean(history.why)}{twin}"
    facts = {
        "source": f"{made.source}:{made.line}" if made.line else made.source, "licence": made.licence,
        "generator": made.generator, "group": row.group, "split": row.split, "content": history.key,
        **{name: _said(value) for name, value in made.detail.items()},
        "reviewed": listed([f"{who} {word.verdict}" for who, word in sorted(history.decisions.items())]),
    }
    yield from (f"{pad}  {dim(name)} {clean(value)}" for name, value in facts.items() if value)
    for name, value in row.columns.items():
        yield f"{pad}  {dim(name)}"
        yield from paragraph(_said(value), f"{pad}    ")
    if history.parents:
        yield f"{pad}  {dim('made from')}"
    for parent in history.parents:
        yield from story(parent, depth + 2)


def _said(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
