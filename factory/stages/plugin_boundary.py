"""What stands between a stage and a plugin: names it in all that goes wrong, and sees that it leaves its input."""

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
"""Rows, or side tables, that a plugin is lent."""


@contextmanager
def guard_plugin_call(plugin: Plugin, *given: RowsOrTables) -> Iterator[None]:
    """Name the plugin in whatever it raises, and say whose fault that is by the exit code.

    A ValueError of a source is about the user's data; a missing package or file is about the machine. Rows and tables
    that are `given` must come out as they went in.
    """
    name = f"{plugin.role} {plugin.kind!r}"
    lent = MutationGuard(*given)
    try:
        with network_policy.name_actor(name):
            yield
    except FactoryError:
        raise
    except ImportError as error:
        raise UnavailableError(f"{name}: {error}; install what it needs") from error
    except OSError:
        raise
    except Exception as error:
        said = next(iter(str(error).splitlines()), "")
        text = said if isinstance(error, ValueError) and said else f"{type(error).__name__}: {said}"
        kind = InputError if plugin.role == "source" and isinstance(error, ValueError) else PluginError
        raise kind(f"{name}: {text}") from error
    lent.check_unchanged(name)


def iterate_checked_values(plugin: Plugin, method: str, values: Any, wanted: type[T]) -> Iterator[T]:
    """The values that a method yields. Raises PluginError that names both when one is of another type, or it yields
    none at all but returns something.
    """
    name = f"{plugin.role} {plugin.kind!r}"
    if not isinstance(values, Iterable):
        raise PluginError(
            f"{name}: {method} gave {_describe_value_type(values)}; it must yield a {wanted.__name__} for each row"
        )
    for value in values:
        if not isinstance(value, wanted):
            raise PluginError(
                f"{name}: {method} gave {_describe_value_type(value)} where a {wanted.__name__} is wanted"
            )
        yield value


def _describe_value_type(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


class MutationGuard:
    """Rows as they were when they were lent. A row that is read anew at every look can not be harmed, and is free."""

    def __init__(self, *given: RowsOrTables) -> None:
        self._row_lists = [rows for one in given for rows in _iterate_mutable_rows(one)]
        self._fingerprints = [_fingerprint_row_list(rows) for rows in self._row_lists]

    def check_unchanged(self, who: str) -> None:
        """Raise PluginError that names whoever changed a row, and the row."""
        for rows, before in zip(self._row_lists, self._fingerprints, strict=True):
            after = _fingerprint_row_list(rows)
            if before == after:
                continue
            if [mark[0] for mark in before] != [mark[0] for mark in after]:
                raise PluginError(f"{who}: changed the list of rows that it was lent; work on a copy")
            name = next(one[0] for one, other in zip(before, after, strict=True) if one != other)
            raise PluginError(f"{who}: changed the row {name!r} that it was lent; use row.having(…), or a copy")


def _iterate_mutable_rows(given: RowsOrTables) -> Iterator[Sequence[Row]]:
    """The lists of rows that can be changed at all: those that lie in memory."""
    if isinstance(given, Mapping):
        yield from (list(table.values()) for table in given.values() if isinstance(table, dict))
    elif isinstance(given, list):
        yield given


def _fingerprint_row_list(rows: Sequence[Row]) -> list[tuple[str, int]]:
    return [(row.id, _fingerprint_row(row)) for row in rows]


def _fingerprint_row(row: Row) -> int:
    """A number that changes with a row's columns; what is not plain JSON goes by how it is written."""
    columns: Any = row.columns
    try:
        return hash(marshal.dumps(columns, 2))
    except ValueError:
        return hash(repr(columns))
