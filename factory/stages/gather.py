"""Read every source into rows with provenance, and its side tables; no more than a row is held at a time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from factory.api import Job, Row, Source
from factory.data.rows import LazyRows, RowWriter, write_json
from factory.errors import InputError
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values, load_toolbox

ROWS_FILE = "rows.jsonl"
MAX_SKIPPED_EXAMPLES = 5
"""Skipped records whose text is kept."""


@dataclass
class SkippedRecords:
    """The records that a source told of as wrong, in a spec that skips them: how many, and the first few."""

    count: int = 0
    first_messages: list[str] = field(default_factory=list)

    def add_skipped(self, text: str) -> None:
        self.count += 1
        if len(self.first_messages) < MAX_SKIPPED_EXAMPLES:
            self.first_messages.append(text)


@dataclass(frozen=True, slots=True)
class GatherResult:
    """What one source gave: rows of its side tables by table, `given` of its own, and the licences they name."""

    source: Source
    table_counts: Counter[str]
    row_count: int
    licences: tuple[str, ...]
    skipped: SkippedRecords | None
    final_count: int


def run(job: StageJob) -> None:
    """Write `rows.jsonl`, a file for each side table, and `gather.json` with what each source gave."""
    sources = [cast(Source, job.make_plugin("source", block)) for block in job.config["sources"]]
    with ExitStack() as stack:
        files = {"": stack.enter_context(RowWriter(job.out / ROWS_FILE))}
        found = [_gather_source(job, source, files, stack) for source in sources]
    if not any(one.row_count for one in found):
        raise InputError("the sources gave no rows; look at their filters and files")
    promised = {table: source.kind for source in sources for table in source.tables}
    if empty := sorted(promised.keys() - files.keys()):
        raise InputError(f"source {promised[empty[0]]!r} gave nothing for the table {empty[0]!r}; look at its files")
    if any(source.weight for source in sources):
        found = _downsample_by_weight(job, found)
    total = sum(one.final_count for one in found)
    write_json(job.out / "gather.json", {"sources": [_describe_gather_result(one) for one in found], "rows": total})


def _gather_source(job: StageJob, source: Source, files: dict[str, RowWriter], stack: ExitStack) -> GatherResult:
    """Write all that a source gives to the files, opening those of new tables. Raises InputError when it is nothing."""
    counts: Counter[str] = Counter()
    licences: set[str] = set()
    skipped = SkippedRecords() if job.config.get("on_error") == "skip" else None
    work = Job(
        job.seed, job.report, job.root, kit_loader=load_toolbox, models=job.load_further_models(),
        teacher_factory=job.open_teacher
    )
    if skipped is not None:
        work = replace(work, bad_record_handler=skipped.add_skipped)
    with guard_plugin_call(source):
        for row in iterate_checked_values(source, "rows", source.iter_rows(work), Row):
            if row.table not in files:
                files[row.table] = stack.enter_context(RowWriter(job.out / "tables" / f"{row.table}.jsonl"))
            files[row.table].write(row)
            counts[row.table] += 1
            licences.add(row.provenance.licence)
            job.report.report_progress(counts.total())
    _report_skipped_records(job, source, skipped, counts.total())
    given = counts.pop("", 0)
    return GatherResult(source, counts, given, tuple(sorted(licences - {""})), skipped, given)


def _report_skipped_records(job: StageJob, source: Source, skipped: SkippedRecords | None, count: int) -> None:
    """Note what was skipped; raise InputError when nothing is left."""
    lost = ""
    if skipped and skipped.count:
        lost = f"{skipped.count} wrong record{'s' * (skipped.count > 1)} skipped; first {skipped.first_messages[0]}"
    if not count:
        raise InputError(f"source {source.kind!r} is empty; {lost or 'look at its fields and its file'}")
    if lost:
        job.report.note(f"source {source.kind!r}: {lost}", warning=True)


def _downsample_by_weight(job: StageJob, found: Sequence[GatherResult]) -> list[GatherResult]:
    """The sources after downsampling to their weights: `rows.jsonl` is read once more and written anew."""
    if bare := [one for one in found if one.source.weight and not one.row_count]:
        raise InputError(f"source {bare[0].source.kind!r} has a weight, but gave no rows; take the weight out")
    wanted = compute_mixture_counts([(one.source.weight, one.row_count) for one in found])
    if gone := [one for one, count in zip(found, wanted, strict=True) if one.row_count and not count]:
        raise InputError(f"source {gone[0].source.kind!r}: by its weight none of its rows is taken; raise it")
    chosen: set[int] = set()
    start = 0
    for number, (one, count) in enumerate(zip(found, wanted, strict=True)):
        draw = random.Random(f"{job.seed} mixture {number}")
        chosen.update(start + place for place in draw.sample(range(one.row_count), count))
        start += one.row_count
        if count < one.row_count:
            job.report.note(f"source {one.source.kind!r}: {count} of {one.row_count} rows drawn, by its weight")
    _rewrite_chosen_rows(job.out / ROWS_FILE, chosen)
    return [replace(one, final_count=count) for one, count in zip(found, wanted, strict=True)]


def compute_mixture_counts(sources: Iterable[tuple[float, int]]) -> list[int]:
    """Rows to take of each (weight, rows): all without a weight, the others in proportion, as many as there can be."""
    given = list(sources)
    share = min(rows / weight for weight, rows in given if weight)
    return [min(rows, round(share * weight)) if weight else rows for weight, rows in given]


def _rewrite_chosen_rows(path: Path, chosen: set[int]) -> None:
    rows, fresh = LazyRows(path), path.with_suffix(".drawn")
    with fresh.open("wb") as file:
        file.writelines(rows.read_line_bytes(place) for place in range(len(rows)) if place in chosen)
    fresh.replace(path)


def _describe_gather_result(found: GatherResult) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": found.source.kind, "rows": found.final_count, "tables": dict(sorted(found.table_counts.items())),
        "licences": list(found.licences),
    }
    if found.skipped is not None:
        facts["skipped"] = {"rows": found.skipped.count, "first": found.skipped.first_messages}
    if found.final_count < found.row_count:
        facts["given"] = found.row_count
    return facts
