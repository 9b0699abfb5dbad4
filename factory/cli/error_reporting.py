"""What a person is told when a command fails: one line and an exit code; a traceback only for a bug of ours."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import click

from factory.errors import BAD_INPUT, BUG, INTERRUPTED, UNAVAILABLE, FactoryError
from factory.views.formatting import clean_line

DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
PERMISSION_ERRNOS = (errno.EROFS, errno.EACCES, errno.EPERM)


def report_error(error: BaseException) -> int:
    """Print what a person should know about an error; returns the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else BUG
        case KeyboardInterrupt() | click.Abort():
            return _print_error("interrupted", INTERRUPTED)
        case BrokenPipeError():
            return _silence_stdout()
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.ctx.get_help() if error.ctx else "", color=None)
            return 0
        case click.ClickException():
            return _print_error(_format_usage_error(error), BAD_INPUT)
        case FactoryError():
            return _print_error("\n".join(clean_line(line) for line in str(error).splitlines()), error.exit_code)
        case OSError():
            return _report_os_error(error)
        case ModuleNotFoundError() if not (error.name or "").startswith("factory"):
            return _print_error(f"the package of {error.name!r} is not installed", UNAVAILABLE)
    return _report_bug(error)


def _print_error(text: str, code: int) -> int:
    click.echo(text, err=True)
    return code


def _format_usage_error(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (`{context.command_path} --help` says more)" if context else ""
    return f"{error.format_message()}{hint}"


def _report_os_error(error: OSError) -> int:
    """A full disk, a folder that may not be written, a file that is not there."""
    what = error.filename or "the store"
    if error.errno in DISK_FULL_ERRNOS:
        return _print_error(f"no space left on the disk while writing {what}; free some and run again", UNAVAILABLE)
    if error.errno in PERMISSION_ERRNOS:
        why = (error.strerror or "not permitted").lower()
        return _print_error(f"{what}: {why}; FACTORY_HOME may name a folder where you can write", UNAVAILABLE)
    if error.errno == errno.ENOENT:
        return _print_error(f"{what}: no such file", BAD_INPUT)
    return _print_error(f"{what}: {error.strerror or error}", UNAVAILABLE)


def _silence_stdout() -> int:
    """Whoever read our output has gone; that is no failure, and nothing can be said to them."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return 0


def _report_bug(error: BaseException) -> int:
    traceback.print_exception(error)
    return _print_error(f"this is a bug in the factory; {_describe_newest_journal()}", BUG)


def _describe_newest_journal() -> str:
    """Where the newest journal lies, for the report of a bug."""
    try:
        from factory.store.journal import list_journals
        from factory.store.paths import find_home

        return f"the newest journal is {list_journals(find_home())[-1]}"
    except Exception:  # a second failure must not hide the first
        return "no run was journalled"
