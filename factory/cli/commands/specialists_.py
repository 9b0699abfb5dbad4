"""`factory specialists`: list specialists with their versions, aliases, sizes and verdicts, or set an alias."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from factory.cli import output
from factory.errors import InputError
from factory.runs.run_index import summarise_journals
from factory.runs.specialists import assign_alias, find_version_outputs, list_specialists
from factory.store.journal import list_journals
from factory.store.paths import find_home
from factory.views.specialists import (
    LineageView,
    build_lineage_view,
    build_specialists_json,
    build_specialists_table,
)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--alias", default="", metavar="NAME@VERSION=ALIAS",
              help="Point an alias, such as production, to a version.")
@output.json_option
def command(names: Sequence[str], alias: str, as_json: bool) -> None:
    """List specialists with their versions, aliases and verdicts.

    With NAME or NAME@VERSION, show what it was built from, with digests. Every command that takes a specialist also
    takes NAME@ALIAS. `latest` is the newest version, `shipped` the newest with the verdict SHIP.
    """
    home = find_home()
    if alias:
        version, equals, name = alias.rpartition("=")
        if not equals:
            raise InputError(f"--alias {alias}: expected NAME@VERSION=ALIAS")
        assign_alias(home, version, name)
    runs = {run.id: run for run in summarise_journals(home, list_journals(home)[::-1])}
    entries = list_specialists(home, runs.values())
    entries = [entry for entry in entries if not names or entry.version.name in names or entry.label in names]
    if names and not entries:
        raise InputError(f"no specialist {', '.join(names)}; `factory specialists` lists all")
    if as_json:
        output.print_json(build_specialists_json(entries, runs))
        return
    output.print_line(output.format_table(build_specialists_table(entries, runs, time.time())))
    for entry in entries if names else ():
        _print_lineage(build_lineage_view(entry, find_version_outputs(home, entry.version)))


def _print_lineage(page: LineageView) -> None:
    output.print_line(f"\n{output.style_bold(page.label)}  {output.style_texts([page.verdict])}  {page.aliases}")
    if page.warning:
        output.print_line(output.style_text(page.warning, "warn"))
    output.print_line(output.format_rows(["", ""], list(page.facts.items())))
