"""How benchmarks start: what they lack is said in one line, as the factory's own commands say it."""

from __future__ import annotations

import sys

import click

from factory.cli.error_reporting import report_error


def run_main(command: click.Command) -> None:
    """Run a benchmark's command and exit with its code.

    A missing file, wheel, module or build is a line on standard error; only a bug shows a traceback.
    """
    try:
        command(standalone_mode=False)
    except Exception as error:
        sys.exit(report_error(error))
