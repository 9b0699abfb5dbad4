"""What can go wrong, as a vocabulary: each error knows its exit code, and one place prints it.

The codes follow sysexits.h where it has a word for the case.
"""

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
    """Anything the factory says no to; its text is one clear line for a person."""

    exit_code = BUG


class InputError(FactoryError):
    """The spec, or data that it points to, is wrong."""

    exit_code = BAD_INPUT


class UnavailableError(FactoryError):
    """Something outside is missing: a package, a disk, a network, a permission."""

    exit_code = UNAVAILABLE


class PluginError(FactoryError):
    """A plugin raised, or broke its contract; the text names the plugin."""

    exit_code = BUG


class InterruptedByUserError(FactoryError):
    """Ctrl-C, or a request to end; what is finished stays in the store."""

    exit_code = INTERRUPTED


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a spec, where a person finds it. Line 0: the whole file, or an option of the command line."""

    file: str
    line: int
    column: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


class SpecError(InputError):
    """All that is wrong in one spec, in the order of its lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.column, p.field)))
        super().__init__("\n".join(map(str, self.problems)))
