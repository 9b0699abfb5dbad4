"""`factory runs`: list runs, newest first."""

from __future__ import annotations

import time

import click

from factory.cli import output
from factory.store.journal import list_journals
from factory.store.paths import find_home
from factory.views.formatting import format_count


@click.command()
@click.option("--limit", default=20, show_default=True, help="Maximum number of runs; 0 for all.")
@output.json_option
def command(limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    from factory.runs.run_index import summarise_journals
    from factory.views.runs import build_runs_json, build_runs_list

    journals = list_journals(find_home())[::-1]
    runs = summarise_journals(find_home(), journals[:limit] if limit > 0 else journals)
    if as_json:
        output.print_json(build_runs_json(runs))
        return
    if not runs:
        output.print_note(f"no runs in {find_home()}; start one with `factory build SPEC`")
        return
    output.print_line(output.format_table(build_runs_list(runs, time.time())))
    older = len(journals) - len(runs)
    if older > 0:
        output.print_note(f"{format_count(older, 'older run')} not shown; --limit 0 lists all")
