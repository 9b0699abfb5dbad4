"""What a person is told when a command fails: one line and an exit code; a traceback only for a bug of ours."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import click

from factory.errors import BAD_INPUT, BUG, INTERRUPTED, UNAVAILABLE, FactoryError
from factory.report.words import clean

FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def tell(error: BaseException) -> int:
    """Print what a person should know about an error; returns the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else BUG
        case KeyboardInterrupt() | click.Abort():
            return _say("interrupted", INTERRUPTED)
        case BrokenPipeError():
            return _quiet()
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.ctx.get_help() if error.ctx else "", color=None)
            return 0
        case click.ClickException():
            return _say(_usage(error), BAD_INPUT)
        case FactoryError():
            return _say("\n".join(clean(line) for line in str(error).splitlines()), error.exit_code)
        case OSError():
            return _system(error)
        case ModuleNotFoundError() if not (error.name or "").startswith("factory"):
            return _say(f"the package of {error.name!r} is not installed", UNAVAILABLE)
    return _bug(error)


def _say(text: str, code: int) -> int:
    click.echo(text, err=True)
    return code


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (`{context.command_path} --help` says more)" if context else ""
    return f"{error.format_message()}{hint}"


def _system(error: OSError) -> int:
    """A full disk, a folder that may not be written, a file that is not there."""
    what = error.filename or "the store"
    if error.errno in FULL:
        return _say(f"no space left on the disk while writing {what}; free some and run again", UNAVAILABLE)
    if error.errno in CLOSED:
        why = (error.strerror or "not permitted").lower()
        return _say(f"{what}: {why}; FACTORY_HOME may name a folder where you can write", UNAVAILABLE)
    if error.errno == errno.ENOENT:
        return _say(f"{what}: no such file", BAD_INPUT)
    return _say(f"{what}: {error.strerror or error}", UNAVAILABLE)


def _quiet() -> int:
    """Whoever read our output has gone; that is no failure, and nothing can be said to them."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return 0


def _bug(error: BaseException) -> int:
    traceback.print_exception(error)
    return _say(f"this is a bug in the factory; {_journal()}", BUG)


def _journal() -> str:
    """Where the newest journal lies, for the report of a bug."""
    try:
        from factory.home import find_home
        from factory.journal import list_journals

        return f"the newest journal is {list_journals(find_home())[-1]}"
    except Exception:  # a second failure must not hide the first
        return "no run was journalled"
