"""Read every source into rows with provenance, and its side tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

from factory.api import Job, Row, Source
from factory.data.rows import write_json, write_rows
from factory.errors import InputError
from factory.stages.job import StageJob, boundary, toolbox


def run(job: StageJob) -> None:
    """Write `rows.jsonl`, a file for each side table, and `gather.json` with what each source gave."""
    examples: list[Row] = []
    tables: dict[str, list[Row]] = {}
    facts = []
    promised: dict[str, str] = {}
    for block in job.config["sources"]:
        source = cast(Source, job.make("source", block))
        rows = list(_read(job, source))
        facts.append(_facts(source, rows))
        promised |= dict.fromkeys(source.tables, source.kind)
        for row in rows:
            (tables.setdefault(row.table, []) if row.table else examples).append(row)
    if not examples:
        raise InputError("the sources gave no rows; look at their filters and files")
    empty = sorted(promised.keys() - tables.keys())
    if empty:
        raise InputError(f"source {promised[empty[0]]!r} gave nothing for the table {empty[0]!r}; look at its files")
    write_rows(job.out / "rows.jsonl", examples)
    for table, entries in sorted(tables.items()):
        write_rows(job.out / "tables" / f"{table}.jsonl", entries)
    write_json(job.out / "gather.json", {"sources": facts, "rows": len(examples)})


def _read(job: StageJob, source: Source) -> Iterator[Row]:
    with boundary(source):
        for count, row in enumerate(source.rows(Job(job.seed, job.report, job.root, toolbox=toolbox)), 1):
            job.report.progress(count)
            yield row


def _facts(source: Source, rows: list[Row]) -> dict[str, Any]:
    counts = Counter(row.table for row in rows)
    if not rows:
        raise InputError(f"source {source.kind!r} is empty; look at its fields and its file")
    licences = sorted({row.provenance.licence for row in rows if row.provenance.licence})
    tables = {table: count for table, count in sorted(counts.items()) if table}
    return {"kind": source.kind, "rows": counts[""], "tables": tables, "licences": licences}
