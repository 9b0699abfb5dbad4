"""Drop rows that say nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob
from factory_curators.common import get_row_text

PLACEHOLDER_WORDS = {"n/a", "na", "none", "null", "nan", "nil", "undefined", "-", "--", "?", ".", "...", "tbd", "todo"}
"""What stands in a field that has no value, as exports write it."""
MEANINGFUL_CATEGORIES = ("L", "N", "S")
"""The first letters of Unicode categories that say something: letters, numbers, symbols."""


class EmptyRows(Curator):
    """Drops a row when one of its texts has no letter, number or symbol, or is a word for no value, such as `N/A`."""

    kind = "empty"
    share_metric = "empty"

    on: list[str] = Field([], description="columns that must say something; empty for every column that holds text")
    placeholders: bool = Field(True, description="whether N/A, null and their like are nothing too")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for row in job.rows:
            names = self.on or [name for name, value in row.columns.items() if isinstance(value, str)]
            bare = next((name for name in names if self._is_blank_text(get_row_text(row, job, [name]))), None)
            yield Decision(row.id, bare is None, "" if bare is None else f"its {bare} says nothing")

    def _is_blank_text(self, text: str) -> bool:
        if self.placeholders and text.strip().lower() in PLACEHOLDER_WORDS:
            return True
        return not any(letter.isalnum() or unicodedata.category(letter)[0] in MEANINGFUL_CATEGORIES for letter in text)
