"""What reading the work of others may raise: it is shown as what it is."""

from __future__ import annotations

from factory.errors import FactoryError
from factory.tui.lines import safe

BROKEN = (
    FactoryError,
    OSError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    StopIteration,
)
"""Files that are gone, torn, of another form, or of a newer factory."""


def unreadable(error: BaseException) -> str:
    """One line for a person."""
    if isinstance(error, FactoryError):
        return safe(error)
    return safe(f"what the build left can not be shown: {type(error).__name__}: {error}")
