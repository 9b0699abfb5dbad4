"""The exceptions of the factory and their exit codes, which follow sysexits.h where it has one for the case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHIPPED = 0
NOT_SHIPPED = 2
INSUFFICIENT = 3
BAD_INPUT = 64
UNAVAILABLE = 69
BUG = 70
INTERRUPTED = 130


class FactoryError(Exception):
    """Base class of expected errors; the text is one line for the user."""

    exit_code = BUG


class InputError(FactoryError):
    """The spec, or the data that it refers to, is invalid."""

    exit_code = BAD_INPUT


class UnavailableError(FactoryError):
    """Something outside the factory is unavailable: a package, disk space, the network, a permission."""

    exit_code = UNAVAILABLE


class PluginError(FactoryError):
    """A plugin raised an exception or violated its contract; the text names the plugin."""

    exit_code = BUG


class CertificationError(FactoryError):
    """The bundle does not answer like the judged model."""


class InterruptedByUserError(FactoryError):
    """Ctrl-C or a termination request; finished stages stay in the store."""

    exit_code = INTERRUPTED


READ_ERRORS = (
    FactoryError, OSError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError,
    StopIteration,
)
"""Raised for files that are missing, truncated, of another shape, or written by a newer factory."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem in a spec and its position. Line 0 means the whole file, or a command-line option."""

    file: str
    line: int
    column: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


class SpecError(InputError):
    """All problems of one spec, ordered by line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.column, p.field)))
        super().__init__("\n".join(map(str, self.problems)))
