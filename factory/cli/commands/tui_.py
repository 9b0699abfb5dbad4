"""`factory tui`: watch runs, see why a specialist may ship, compare, ask, review."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

import click

from factory.cli import output
from factory.errors import InputError

SCREENS = ("runs", "run", "verdict", "compare", "try", "review", "specialists")
PRINTABLE_SCREENS = ("runs", "run", "verdict", "compare", "specialists")
WIDTH = 100


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--screen", type=click.Choice(SCREENS), default=None, help="Begin with this screen.")
@click.option("--once", type=click.Choice(PRINTABLE_SCREENS), default=None, help="Print one screen as text, and end.")
@click.option("--width", default=0, help="Columns of --once; 0 for those of the terminal.")
@click.option("--light", is_flag=True, help="Dark letters on light ground.")
@output.json_option
def command(runs: Sequence[str], screen: str | None, once: str | None, width: int, light: bool, as_json: bool) -> None:
    """Watch runs and compare specialists on a terminal. RUN is what `show` takes; several are compared.

    It shows what builds wrote, live or past, and never builds itself: any number can look at the same time. `?` says
    what the keys of a screen do.
    """
    from factory.store.paths import find_home

    if once is not None:
        _print_screen_once(find_home(), once, runs, width, as_json)
        return
    if as_json:
        raise click.UsageError("--json goes with --once SCREEN")
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise InputError("this is no terminal; `factory tui --once SCREEN` prints a screen as text")
    from factory.tui.start import start

    start(find_home(), screen or "", runs, light)


def _print_screen_once(home: Any, screen: str, runs: Sequence[str], width: int, as_json: bool) -> None:
    from factory.tui.once import once

    told = once(home, screen, runs, time.time())
    if as_json:
        output.print_json(told.facts)
    else:
        output.print_line(told.text(width or shutil.get_terminal_size((WIDTH, 24)).columns))
