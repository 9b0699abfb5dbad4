"""Ids of rows that were made from the name of a file, where several files have the same name."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePath

from factory.api import Row


class FileIds:
    """Makes the ids of one build unique: `d#1` of `fr/d.jsonl` becomes `fr/d#1` where `en/d.jsonl` came before it.

    The first file of a name keeps its ids, so that they do not change when a source is added. Ids from a field of the
    data are left as they are, and those of side tables, to which other columns refer.
    """

    def __init__(self) -> None:
        self._first_files: dict[str, str] = {}

    def rename_row(self, row: Row) -> Row:
        """Return the row, with its file's path in its id and group if another file of that name came first."""
        source = row.provenance.source
        stem = PurePath(source).stem
        if row.table or not stem or not _compile_file_id(stem).fullmatch(row.id):
            return row
        if self._first_files.setdefault(stem, source) == source:
            return row
        path = PurePath(source).with_suffix("").as_posix()
        group = f"{path}{row.group[len(stem):]}" if _compile_file_id(stem).fullmatch(row.group) else row.group
        return replace(row, id=f"{path}{row.id[len(stem):]}", group=group)


@lru_cache(maxsize=64)
def _compile_file_id(stem: str) -> re.Pattern[str]:
    """Return the pattern of an id that a source makes of a file's name: `d#12`, `d#12.3` or `d-000012`."""
    return re.compile(rf"{re.escape(stem)}[#-]\d+(\.\d+)?")
