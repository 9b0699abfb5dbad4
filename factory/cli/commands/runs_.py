"""`factory runs`: list runs, newest first."""

from __future__ import annotations

import time
from dataclasses import replace

import click

from factory.cli import output
from factory.store.journal import list_journals
from factory.store.paths import find_home
from factory.views.formatting import format_count

COLUMNS = ("run", "task", "profile", "state", "verdict", "metric", "score", "gain", "over", "interval", "took", "age")


@click.command()
@click.option("--limit", default=20, show_default=True, help="Maximum number of runs; 0 for all.")
@output.json_option
def command(limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    from factory.runs.run_index import summarise_journals
    from factory.tui.views import runs_view

    journals = list_journals(find_home())[::-1]
    runs = summarise_journals(find_home(), journals[:limit] if limit > 0 else journals)
    if as_json:
        output.print_json(runs_view.to_json(runs))
        return
    if not runs:
        output.print_note(f"no runs in {find_home()}; start one with `factory build SPEC`")
        return
    table = runs_view.build_runs_table(runs, time.time()).select(COLUMNS)
    # The terminal interface knows a run by its row; here, its id is what other commands take.
    columns = tuple(replace(column, drop_rank=0) if column.name == "run" else column for column in table.columns)
    output.print_line(output.format_view_table(replace(table, columns=columns)))
    older = len(journals) - len(runs)
    if older > 0:
        output.print_note(f"{format_count(older, 'older run')} not shown; --limit 0 lists all")
