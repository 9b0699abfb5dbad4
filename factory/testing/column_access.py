"""Rows that record which of their columns are read, and by which code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from factory.api import Row


@dataclass
class ColumnAccess:
    """The columns that were read: by the plugin's own package (with [] or .get), by any code, or all at once."""

    package: str
    plugin_reads: set[str] = field(default_factory=set)
    optional_reads: set[str] = field(default_factory=set)
    all_reads: set[str] = field(default_factory=set)
    reads_everything: bool = False

    def track_row(self, row: Row) -> Row:
        """Return the row with columns that record every read."""
        return replace(row, columns=_TrackedColumns(row.columns, self))

    def record_read(self, column: str, optional: bool) -> None:
        """Record a read by the code two frames above; `optional` means that the column may be missing."""
        self.all_reads.add(column)
        frame = sys._getframe(2)
        # `row[column]` reads through Row.__getitem__: attribute the read to its caller.
        while frame.f_back is not None and frame.f_code.co_filename.endswith("api/rows.py"):
            frame = frame.f_back
        if frame.f_code.co_filename.endswith("text/normalise.py"):
            self.reads_everything = True  # join_text_columns reads whatever text columns exist
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == self.package:
            (self.optional_reads if optional else self.plugin_reads).add(column)


class _TrackedColumns(dict[str, Any]):
    """Columns that record reads. A copy by `{**columns}` is a plain dict and does not count as a read."""

    def __init__(self, columns: Any = (), column_access: ColumnAccess | None = None) -> None:
        super().__init__(columns)
        self._column_access = column_access or ColumnAccess("")

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
    """Copy the current columns of rows without recording reads."""
    return [dict(row.columns) for row in rows]
