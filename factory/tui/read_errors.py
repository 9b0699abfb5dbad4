"""Errors that reading another process's files may raise; screens show them instead of crashing."""

from __future__ import annotations

from factory.errors import FactoryError
from factory.tui.rich_text import sanitise


def describe_read_error(error: BaseException) -> str:
    """Return a one-line message."""
    prefix = "" if isinstance(error, FactoryError) else f"cannot read the files of this run: {type(error).__name__}: "
    return sanitise(f"{prefix}{error}")
