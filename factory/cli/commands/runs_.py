"""`factory runs`: list runs, newest first."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import click

from factory.cli import output
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import iterate_newest_runs
from factory.store.journal import list_journals
from factory.store.paths import find_home
from factory.views.formatting import clean_line, format_ago, format_count, format_number, format_seconds


@click.command()
@click.option("--limit", default=20, show_default=True, help="Maximum number of runs; 0 for all.")
@output.json_option
def command(limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    runs = islice(iterate_newest_runs(find_home()), limit if limit > 0 else None)
    rows = [_build_run_record(RunOutputs(find_home(), run)) for run in runs]
    if as_json:
        output.print_json(rows)
        return
    if not rows:
        output.print_note(f"no runs in {find_home()}; start one with `factory build SPEC`")
        return
    heads = ["run", "task", "profile", "state", "verdict", "score", "time", "started"]
    output.print_line(output.format_table(heads, _build_run_cells(rows), right=(6,)))
    older = len(list_journals(find_home())) - len(rows)
    if older > 0:
        output.print_note(f"{format_count(older, 'older run')} not shown; --limit 0 lists all")


def _build_run_record(evidence: RunOutputs) -> dict[str, Any]:
    run, gate = evidence.run, evidence.read_gate() if evidence.run.verdict else {}
    score = {"metric": gate.get("metric", ""), "score": gate.get("tuned", {}).get("mean")}
    return {**run.summarise_run(), **score, "started": run.started}


def _build_run_cells(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    now = time.time()
    return [
        [*(clean_line(row[name]) for name in ("run", "task", "profile", "state", "verdict")),
         f"{row['metric']} {format_number(row['score'])}" if row["metric"] else "",
         format_seconds(row["seconds"]), format_ago(now - row["started"])]
        for row in rows
    ]
