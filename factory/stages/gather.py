"""Stream every source into rows with provenance, and into side tables, holding one row at a time."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, cast

from factory.api import TRAIN, Job, Row, Source
from factory.data.rows import LazyRows, RowWriter, write_json
from factory.data.split import resolve_split_part
from factory.data.text_columns import convert_text_columns
from factory.errors import InputError
from factory.stages.file_ids import FileIds
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values, load_toolbox

ROWS_FILE = "rows.jsonl"
MAX_SKIPPED_EXAMPLES = 5
"""Number of skipped records whose message is kept."""


@dataclass
class SkippedRecords:
    """Invalid records of a source that were skipped: their count and the first messages."""

    count: int = 0
    first_messages: list[str] = field(default_factory=list)

    def add_skipped(self, text: str) -> None:
        self.count += 1
        if len(self.first_messages) < MAX_SKIPPED_EXAMPLES:
            self.first_messages.append(text)


@dataclass(frozen=True, slots=True)
class GatherResult:
    """Rows of one source: `table_counts` by side table, `row_count` read, `final_count` after weighting."""

    source: Source
    table_counts: Counter[str]
    row_count: int
    licences: tuple[str, ...]
    skipped: SkippedRecords | None
    final_count: int


def run(job: StageJob) -> None:
    """Write `rows.jsonl`, a file per side table, and `gather.json` with the counts of each source."""
    sources = [cast(Source, job.make_plugin("source", block)) for block in job.config["sources"]]
    with ExitStack() as stack:
        files = {"": stack.enter_context(RowWriter(job.out / ROWS_FILE))}
        ids = FileIds()
        results = [_gather_source(job, source, files, stack, ids) for source in sources]
    if not any(result.row_count for result in results):
        raise InputError("the sources have no rows; check their filters and files")
    owners = {table: source.kind for source in sources for table in source.tables}
    if empty := sorted(owners.keys() - files.keys()):
        raise InputError(f"source {owners[empty[0]]!r} has no rows for the table {empty[0]!r}; check its files")
    if any(source.weight for source in sources):
        results = _downsample_by_weight(job, results)
    total = sum(result.final_count for result in results)
    facts = [_describe_gather_result(result) for result in results]
    write_json(job.out / "gather.json", {"sources": facts, "rows": total})


def _gather_source(
    job: StageJob, source: Source, files: dict[str, RowWriter], stack: ExitStack, ids: FileIds
) -> GatherResult:
    """Write the rows of a source, opening the files of new tables. Raises InputError if there are none."""
    counts: Counter[str] = Counter()
    licences: set[str] = set()
    skipped = SkippedRecords() if job.config.get("on_error") == "skip" else None
    work = Job(
        job.seed, job.report, job.root, kit_loader=load_toolbox, models=job.load_further_models(),
        teacher_factory=job.open_teacher,
    )
    if skipped is not None:
        work = replace(work, bad_record_handler=skipped.add_skipped)
    with guard_plugin_call(source):
        for row in _iterate_text_rows(source, work, job.config.get("text_columns", ())):
            if row.table not in files:
                files[row.table] = stack.enter_context(RowWriter(job.out / "tables" / f"{row.table}.jsonl"))
            files[row.table].write(ids.rename_row(row))
            counts[row.table] += 1
            licences.add(row.provenance.licence)
            job.report.report_progress(counts.total())
    _report_skipped_records(job, source, skipped, counts.total())
    row_count = counts.pop("", 0)
    return GatherResult(source, counts, row_count, tuple(sorted(licences - {""})), skipped, row_count)


def _iterate_text_rows(source: Source, work: Job, text_columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a source with text where the task wants text; report those that hold something else."""
    for row in iterate_checked_values(source, "iter_rows", source.iter_rows(work), Row):
        try:
            yield row if row.table else convert_text_columns(row, text_columns)
        except ValueError as error:
            work.report_bad_record(str(error))


def _report_skipped_records(job: StageJob, source: Source, skipped: SkippedRecords | None, count: int) -> None:
    """Report skipped records. Raises InputError if no row is left."""
    summary = ""
    if skipped and skipped.count:
        plural = "s" * (skipped.count > 1)
        summary = f"{skipped.count} invalid record{plural} skipped, the first: {skipped.first_messages[0]}"
    if not count:
        raise InputError(f"source {source.kind!r} has no rows; {summary or 'check its fields and files'}")
    if summary:
        job.report.note(f"source {source.kind!r}: {summary}", warning=True)


def _downsample_by_weight(job: StageJob, results: Sequence[GatherResult]) -> list[GatherResult]:
    """Downsample the training rows of the sources to their weights, rewriting `rows.jsonl`."""
    rows, sampled = LazyRows(job.out / ROWS_FILE), job.out / f"{ROWS_FILE}.sampled"
    pools = _list_sampled_rows(rows, results)
    if empty := [result for result, pool in zip(results, pools, strict=True) if result.source.weight and not pool]:
        what = "training rows" if empty[0].row_count else "rows"
        raise InputError(f"source {empty[0].source.kind!r} has a weight but no {what}; remove the weight")
    weights = [result.source.weight for result in results]
    counts = compute_mixture_counts(zip(weights, map(len, pools), strict=True))
    if unused := [result for result, pool, n in zip(results, pools, counts, strict=True) if pool and not n]:
        raise InputError(f"source {unused[0].source.kind!r}: its weight is too small to use any of its rows; raise it")
    left_out: set[int] = set()
    for number, (result, pool, count) in enumerate(zip(results, pools, counts, strict=True)):
        # A seed per source: the sample of one does not depend on the number of rows of another.
        left_out |= {*pool} - {*random.Random(f"{job.seed} mixture {number}").sample(pool, count)}
        if count < len(pool):
            kept = result.row_count - len(pool)
            job.report.note(
                f"source {result.source.kind!r}: {count} of {len(pool)} rows sampled, according to its weight"
                + (f"; its {kept} test and validation rows stay" if kept else "")
            )
    with sampled.open("wb") as file:
        file.writelines(rows.read_line_bytes(index) for index in range(len(rows)) if index not in left_out)
    sampled.replace(rows.path)
    return [
        replace(result, final_count=result.row_count - len(pool) + count)
        for result, pool, count in zip(results, pools, counts, strict=True)
    ]


def _list_sampled_rows(rows: Sequence[Row], results: Sequence[GatherResult]) -> list[list[int]]:
    """Return for each source the positions of its rows that weights draw from: those that may be trained on.

    Rows that bring `test` or `validation` as their split are no part of a mixture.
    """
    ends = list(accumulate(result.row_count for result in results))
    pools: list[list[int]] = [[] for _ in results]
    for position, row in enumerate(rows):
        if not row.split or resolve_split_part(row) == TRAIN:
            pools[bisect_right(ends, position)].append(position)
    return pools


def compute_mixture_counts(sources: Iterable[tuple[float, int]]) -> list[int]:
    """Return the rows to use per (weight, rows): all of a source without weight, else as many as the ratio allows."""
    pairs = list(sources)
    scale = min(rows / weight for weight, rows in pairs if weight)
    return [min(rows, round(scale * weight)) if weight else rows for weight, rows in pairs]


def _describe_gather_result(result: GatherResult) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": result.source.kind, "rows": result.final_count, "tables": dict(sorted(result.table_counts.items())),
        "licences": list(result.licences),
    }
    if result.skipped is not None:
        facts["skipped"] = {"rows": result.skipped.count, "first": result.skipped.first_messages}
    if result.final_count < result.row_count:
        facts["given"] = result.row_count
    return facts
