"""Maps exceptions to a one-line message and an exit code. Only internal errors print a traceback."""

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
    """Print the message of an error and return the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else BUG
        case KeyboardInterrupt() | click.Abort():
            return _print_error("interrupted", INTERRUPTED)
        case BrokenPipeError():  # an OSError, so it must come before that
            return _silence_stdout()
        case click.exceptions.NoArgsIsHelpError():  # a group without a subcommand prints its help
            click.echo(error.ctx.get_help() if error.ctx else "", color=None)
            return 0
        case click.ClickException():
            context = getattr(error, "ctx", None)
            hint = f" (see `{context.command_path} --help`)" if context else ""
            return _print_error(f"{error.format_message()}{hint}", BAD_INPUT)
        case FactoryError():
            return _print_error("\n".join(clean_line(line) for line in str(error).splitlines()), error.exit_code)
        case OSError():
            return _report_os_error(error)
        case ModuleNotFoundError() if not (error.name or "").startswith("factory"):
            message = f"Python module {error.name!r} is not installed; install the package that provides it"
            return _print_error(message, UNAVAILABLE)
    traceback.print_exception(error)
    return _print_error(f"internal error: this is a bug in factory; {_describe_newest_journal()}", BUG)


def _print_error(text: str, code: int) -> int:
    click.echo(text, err=True)
    return code


def _report_os_error(error: OSError) -> int:
    """Report a full disk, missing permissions, a missing file, or another operating system error."""
    path = error.filename or f"the store ({_find_store()})"
    if error.errno in DISK_FULL_ERRNOS:
        message = f"no space left on the disk while writing {path}; free some space and run again"
        return _print_error(message, UNAVAILABLE)
    if error.errno in PERMISSION_ERRNOS:
        reason = (error.strerror or "not permitted").lower()
        remedy = "choose a path that you can write to (for the store: set FACTORY_HOME)"
        return _print_error(f"{path}: {reason}; {remedy}", UNAVAILABLE)
    if error.errno == errno.ENOENT:
        return _print_error(f"{path}: no such file", BAD_INPUT)
    return _print_error(f"{path}: {error.strerror or error}", UNAVAILABLE)


def _find_store() -> str:
    from factory.store.paths import find_home

    try:
        return str(find_home() / "store")
    except OSError:
        return "FACTORY_HOME"


def _silence_stdout() -> int:
    """Redirect standard output to /dev/null after the reader closed the pipe; returns exit code 0."""
    # Otherwise the interpreter would fail again when it flushes standard output at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _describe_newest_journal() -> str:
    """Return where the newest journal is, for a bug report."""
    try:
        from factory.store.journal import list_journals
        from factory.store.paths import find_home

        return f"the newest journal is {list_journals(find_home())[-1]}"
    except Exception:  # a second failure must not hide the first
        return "no run was journalled"
