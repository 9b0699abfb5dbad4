"""Split off test and validation rows by group and record their digests; later stages cannot change them (frozen)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from factory import identity
from factory.api import TEST, TRAIN, VALIDATION, Row, get_row_group
from factory.data.leakage import find_repeated_rows
from factory.data.rows import RowWriter, format_row_origin, write_json
from factory.data.split import describe_large_parts, describe_small_split, resolve_split_part, split_rows
from factory.errors import InputError
from factory.spec.fields import Split
from factory.stages.job import StageJob
from factory.stages.step_rows import run_step


def run(job: StageJob) -> None:
    """Write `train.jsonl`, `validation.jsonl`, `test.jsonl`, and `freeze.json` with counts and digests."""
    if "frozen" in job.inputs:
        run_step(job)
        return
    rows = job.open_input_rows("prepare", "rows.jsonl")
    settings = Split(**job.config["split"])
    parts = split_rows(rows, settings, job.config["text"])
    repeated = _drop_repeated_rows(job, rows, parts)
    written = {name: _write_frozen_part(job, name, rows, parts[name]) for name in (TRAIN, VALIDATION, TEST)}
    counts = {name: len(part) for name, part in parts.items()}
    facts: dict[str, Any] = {
        "counts": counts, "groups": {name: len(part.groups) for name, part in written.items()},
        "digests": {name: identity.digest_file(job.out / f"{name}.jsonl") for name in (VALIDATION, TEST)},
        "own_split": sum(part.own_split for part in written.values()),
    }
    if repeated:
        facts["repeated"] = repeated
    drawn = [name for name in (TEST, VALIDATION) if not written[name].claimed]
    text, starved = describe_small_split(counts, drawn, settings)
    if text:
        job.report.note(text, warning=starved)
    largest = {name: max(part.groups.values(), default=0) for name, part in written.items()}
    for text in describe_large_parts(counts, largest, drawn, settings):
        job.report.note(text, warning=True)
    if written[TEST].copies:
        job.report.note(
            f"{counts[TEST]} test rows have {len(written[TEST].groups)} different texts or groups: copies of a text "
            "count as one, in intervals and in the verdict"
        )
    write_json(job.out / "freeze.json", facts)


def _drop_repeated_rows(job: StageJob, rows: Sequence[Row], parts: dict[str, list[int]]) -> int:
    """Leave validation rows out that are test rows, as what they choose would be chosen on the test set. Return how
    many; raise InputError if none is left."""
    test, validation = ([rows[index] for index in parts[part]] for part in (TEST, VALIDATION))
    repeats = find_repeated_rows(validation, test, job.config["text"])
    if not repeats:
        return 0
    name, twin = next(iter(repeats.items()))
    what = (
        f"{len(repeats)} of {len(validation)} validation rows have the text or group of a test row, such as {name}: "
        f"test row {twin.id} ({format_row_origin(twin)})"
    )
    if len(repeats) == len(validation):
        raise InputError(f"{what}; bring other validation rows, or none: data.split.validation then draws some")
    job.report.note(f"{what}; they are left out of validation", warning=True)
    parts[VALIDATION] = [index for index in parts[VALIDATION] if rows[index].id not in repeats]
    return len(repeats)


@dataclass(slots=True)
class _FrozenPart:
    """What was written of a part: rows by group, a text being a group of its copies; rows that repeat a text; rows with
    a split of their own, and those whose split is this part."""

    groups: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    own_split: int = 0
    claimed: int = 0


def _write_frozen_part(job: StageJob, name: str, rows: Sequence[Row], indices: Iterable[int]) -> _FrozenPart:
    """Write the rows of a part, and count them."""
    part = _FrozenPart()
    with RowWriter(job.out / f"{name}.jsonl") as writer:
        for index in indices:
            row = rows[index]
            group = get_row_group(row, job.config["text"])
            part.groups[group] += 1
            part.copies += not row.group and part.groups[group] > 1
            part.own_split += bool(row.split)
            part.claimed += bool(row.split) and resolve_split_part(row) == name
            writer.write(replace(row, split=name))
    return part
