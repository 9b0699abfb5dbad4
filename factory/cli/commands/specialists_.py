"""`factory specialists`: the shelf: versions, aliases, sizes, verdicts, what each is made of."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence

import click

from factory.cli import output

WIDTH = 100


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--alias", default="", metavar="NAME@VERSION=WORD", help="Call a version by a word, such as production.")
@output.json_option
def command(names: Sequence[str], alias: str, as_json: bool) -> None:
    """List the specialists: versions, aliases, verdicts, what each is made of.

    With NAME or NAME@VERSION: what it is made of, with digests. Every command that takes a specialist takes NAME@WORD
    too. `latest` is the newest version, `shipped` the newest that may ship.
    """
    from factory.errors import InputError
    from factory.runs.specialists import assign_alias
    from factory.store.paths import find_home
    from factory.tui.once import once

    if alias:
        version, equals, word = alias.rpartition("=")
        if not equals:
            raise InputError(f"--alias {alias}: write NAME@VERSION=WORD")
        assign_alias(find_home(), version, word)
    told = once(find_home(), "specialists", names, time.time())
    if names and not told.facts:
        raise InputError(f"no specialist {', '.join(names)}; `factory specialists` lists all")
    if as_json:
        output.print_json(told.facts)
    else:
        output.print_line(told.text(shutil.get_terminal_size((WIDTH, 24)).columns))
