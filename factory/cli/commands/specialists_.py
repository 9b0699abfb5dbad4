"""`factory specialists`: list specialists with their versions, aliases, sizes and verdicts, or set an alias."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from factory.cli import output
from factory.errors import InputError
from factory.runs.specialists import assign_alias
from factory.store.paths import find_home


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
    from factory.tui.snapshot import take_snapshot

    if alias:
        version, equals, name = alias.rpartition("=")
        if not equals:
            raise InputError(f"--alias {alias}: expected NAME@VERSION=ALIAS")
        assign_alias(find_home(), version, name)
    snapshot = take_snapshot(find_home(), "specialists", names, time.time())
    if names and not snapshot.data:
        raise InputError(f"no specialist {', '.join(names)}; `factory specialists` lists all")
    output.print_snapshot(snapshot, as_json)
