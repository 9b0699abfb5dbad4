"""`factory tui`: the terminal interface, or one of its screens as text."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click

from factory.cli import output
from factory.errors import InputError
from factory.store.paths import find_home

SCREENS = ("runs", "run", "verdict", "compare", "try", "review", "specialists")
PRINTABLE_SCREENS = ("runs", "run", "verdict", "compare", "specialists")


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--screen", type=click.Choice(SCREENS), default=None, help="Screen to open first.")
@click.option("--once", type=click.Choice(PRINTABLE_SCREENS), default=None, help="Print one screen as text and exit.")
@click.option("--width", default=0, help="Width of --once in columns; 0 for the terminal's.")
@click.option("--light", is_flag=True, help="Use the light theme.")
@output.json_option
def command(runs: Sequence[str], screen: str | None, once: str | None, width: int, light: bool, as_json: bool) -> None:
    """Open the terminal interface: watch runs, compare and query specialists.

    RUN is what `show` takes; several are compared. The interface shows what builds write and runs none itself, so that
    several can be open at the same time. Press ? for the keys of a screen.
    """
    if once is not None:
        from factory.tui.snapshot import take_snapshot

        snapshot = take_snapshot(find_home(), once, runs, time.time())
        if as_json:
            output.print_json(snapshot.data)
        else:
            output.print_line(snapshot.render(width or output.get_terminal_width()))
        return
    if as_json:
        raise click.UsageError("--json requires --once SCREEN")
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise InputError("`factory tui` needs a terminal; `factory tui --once SCREEN` prints a screen as text")
    from factory.tui.app import create_app

    create_app(find_home(), screen or "", runs, light).run()
