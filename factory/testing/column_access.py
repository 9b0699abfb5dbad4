"""Rows that hear which of their columns are looked at, and by whom."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from factory.api import Row


@dataclass
class ColumnAccess:
    """What was read of the rows that were lent: by the plugin's own code, by anyone, and whether all at once."""

    package: str
    plugin_reads: set[str] = field(default_factory=set)
    optional_reads: set[str] = field(default_factory=set)
    all_reads: set[str] = field(default_factory=set)
    reads_everything: bool = False

    def track_row(self, row: Row) -> Row:
        """The same row with columns that tell."""
        return replace(row, columns=_TrackedColumns(row.columns, self))

    def record_read(self, column: str, asking: bool) -> None:
        """A column was read by the code two frames above; `asking` means that it may be missing."""
        self.all_reads.add(column)
        frame = sys._getframe(2)
        while frame.f_back is not None and frame.f_code.co_filename.endswith("api/rows.py"):
            frame = frame.f_back
        if frame.f_code.co_filename.endswith("api/texts.py"):
            self.reads_everything = True  # `joined` takes whatever text there is
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == self.package:
            (self.optional_reads if asking else self.plugin_reads).add(column)


class _TrackedColumns(dict[str, Any]):
    """Columns that say when one is read. A copy by `{**columns}` is a plain mapping, and no reading."""

    def __init__(self, columns: Any = (), reading: ColumnAccess | None = None) -> None:
        super().__init__(columns)
        self._column_access = reading or ColumnAccess("")

    def __getitem__(self, column: str) -> Any:
        self._column_access.record_read(column, False)
        return super().__getitem__(column)

    def get(self, column: str, default: Any = None) -> Any:
        self._column_access.record_read(column, True)
        return super().get(column, default)

    def items(self) -> Any:
        self._column_access.reads_everything = True
        return super().items()

    def values(self) -> Any:
        self._column_access.reads_everything = True
        return super().values()

    def __reduce__(self) -> Any:
        return dict, (dict(super().items()),)

    def __deepcopy__(self, memo: Any) -> dict[str, Any]:
        from copy import deepcopy

        return {name: deepcopy(value, memo) for name, value in super().items()}


def copy_row_columns(rows: Iterator[Row] | list[Row]) -> list[dict[str, Any]]:
    """The columns of rows as they are now, without being heard."""
    return [dict(row.columns) for row in rows]
