"""Plugin boundary: names the plugin in errors, checks what it yields, and that it did not mutate its inputs."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from factory import network_policy
from factory.api import Plugin, Row
from factory.errors import FactoryError, InputError, PluginError, UnavailableError

T = TypeVar("T")
RowsOrTables = Sequence[Row] | Mapping[str, Mapping[str, Row]]
"""Rows or side tables that a plugin may read but not change."""


@contextmanager
def guard_plugin_call(plugin: Plugin, *inputs: RowsOrTables) -> Iterator[None]:
    """Convert exceptions of a plugin to errors that name it, and check that the inputs are unchanged.

    The error type sets the exit code: a ValueError of a source concerns the user's data (InputError), a missing package
    the machine (UnavailableError), an OSError passes as it is, anything else is a PluginError.
    """
    name = f"{plugin.role} {plugin.kind!r}"
    guard = MutationGuard(*inputs)
    try:
        with network_policy.name_actor(name):
            yield
    except FactoryError:
        raise
    except ImportError as error:
        raise UnavailableError(f"{name}: {error}; install the missing package") from error
    except OSError:
        raise
    except Exception as error:
        line = next(iter(str(error).splitlines()), "")
        text = line if isinstance(error, ValueError) and line else f"{type(error).__name__}: {line}"
        kind = InputError if plugin.role == "source" and isinstance(error, ValueError) else PluginError
        raise kind(f"{name}: {text}") from error
    guard.check_unchanged(name)


def iterate_checked_values(plugin: Plugin, method: str, values: Any, expected: type[T]) -> Iterator[T]:
    """Yield the values of a plugin's method. Raises PluginError for another type, or if it is no iterable."""
    name = f"{plugin.role} {plugin.kind!r}"
    if not isinstance(values, Iterable):
        actual = _describe_value_type(values)
        raise PluginError(f"{name}: {method} returned {actual}; it must yield a {expected.__name__} for each row")
    for value in values:
        if not isinstance(value, expected):
            actual = _describe_value_type(value)
            raise PluginError(f"{name}: {method} yielded {actual} instead of a {expected.__name__}")
        yield value


def _describe_value_type(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


class MutationGuard:
    """Fingerprints of rows before a plugin call. Lazy rows are read anew on each access and need none."""

    def __init__(self, *inputs: RowsOrTables) -> None:
        self._row_lists = [rows for each in inputs for rows in _iterate_mutable_rows(each)]
        self._fingerprints = [_fingerprint_row_list(rows) for rows in self._row_lists]

    def check_unchanged(self, plugin: str) -> None:
        """Raise PluginError that names the plugin and the row that it changed."""
        for rows, before in zip(self._row_lists, self._fingerprints, strict=True):
            after = _fingerprint_row_list(rows)
            if before == after:
                continue
            if [row for row, _ in before] != [row for row, _ in after]:
                raise PluginError(f"{plugin}: changed its input list of rows; work on a copy")
            name = next(old[0] for old, new in zip(before, after, strict=True) if old != new)
            raise PluginError(f"{plugin}: changed its input row {name!r}; use row.with_columns(…) or a copy")


def _iterate_mutable_rows(rows: RowsOrTables) -> Iterator[Sequence[Row]]:
    """Yield the lists of rows in memory, which are the only ones that can be changed."""
    if isinstance(rows, Mapping):
        yield from (list(table.values()) for table in rows.values() if isinstance(table, dict))
    elif isinstance(rows, list):
        yield rows


def _fingerprint_row_list(rows: Sequence[Row]) -> list[tuple[str, int]]:
    return [(row.id, _fingerprint_row(row)) for row in rows]


def _fingerprint_row(row: Row) -> int:
    """Return a hash of a row's columns; values that are not plain data are hashed by their repr."""
    columns: Any = row.columns
    # marshal is several times faster than JSON. Version 2: without references, which depend on object identity.
    try:
        return hash(marshal.dumps(columns, 2))
    except ValueError:
        return hash(repr(columns))
