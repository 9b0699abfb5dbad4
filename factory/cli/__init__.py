"""The command-line interface. Commands raise errors; only `run_command_line` reports them and sets the exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    sys.exit(run_command_line(sys.argv[1:] if arguments is None else arguments))


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Never raises; prints at most one error, to standard error."""
    _escape_unknown_characters()
    from factory.cli import error_reporting
    from factory.cli.app import app
    from factory.network_policy import enforce_network_policy, install_audit_hook

    if "_FACTORY_COMPLETE" in os.environ:  # set by the shell's completion script
        from click.shell_completion import shell_complete

        return shell_complete(app, {}, "factory", "_FACTORY_COMPLETE", os.environ["_FACTORY_COMPLETE"])
    install_audit_hook()  # plugins run in this process too: they are imported, validate fields and show rows
    try:
        with enforce_network_policy("the command line", _list_observer_hosts()), app.make_context(
            "factory", list(arguments)
        ) as context:
            code = app.invoke(context)
        sys.stdout.flush()
        return code or 0
    except BaseException as error:  # the process boundary: every exception becomes an exit code
        return error_reporting.report_error(error)


def _escape_unknown_characters() -> None:
    """Let terminals that know few characters, such as Latin-1 ones, show the others as `\\u25b2`: no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _list_observer_hosts() -> list[str]:
    """Return the hosts that the environment names for observers, which run in this process.

    They are the server of `MLFLOW_TRACKING_URI` and those of `FACTORY_OBSERVER_HOSTS`, separated by commas; an observer
    that is switched on may also talk to a process of its own on this machine.
    """
    from factory.network_policy import LOOPBACK_HOSTS, split_url_host

    named = [name.strip() for name in os.environ.get("FACTORY_OBSERVER_HOSTS", "").split(",") if name.strip()]
    if os.environ.get("FACTORY_OBSERVERS", "").strip():
        named += [*LOOPBACK_HOSTS, *split_url_host(os.environ.get("MLFLOW_TRACKING_URI", ""))]
    return named
