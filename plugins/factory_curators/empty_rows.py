"""Drop rows with empty texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from pydantic import Field

from factory.api import Decision, RowsJob, remove_invisible
from factory_curators.common import TextCurator, get_row_text

PLACEHOLDER_WORDS = {"n/a", "na", "none", "null", "nan", "nil", "undefined", "-", "--", "?", ".", "...", "tbd", "todo"}
"""Words that exports write for a missing value."""
MEANINGFUL_CATEGORIES = ("L", "N", "S")
"""First letters of the Unicode categories that carry meaning: letters, numbers, symbols."""


class EmptyRows(TextCurator):
    """Drops rows with a text that has no letter, number or symbol, or is a placeholder such as `N/A`."""

    kind = "empty"
    version = 2
    share_metric = "empty"

    text_columns: tuple[str, ...] = Field((), description="columns that must not be empty; empty for all text columns")
    placeholders: bool = Field(True, description="treat N/A, null and similar words as empty")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for row in job.rows:
            names = self.text_columns or [name for name, value in row.columns.items() if isinstance(value, str)]
            empty = next((name for name in names if self._is_blank_text(get_row_text(row, job, [name]))), None)
            yield Decision(row.id, empty is None, "" if empty is None else f"{empty} is empty")

    def _is_blank_text(self, text: str) -> bool:
        text = remove_invisible(text)
        if self.placeholders and text.strip().lower() in PLACEHOLDER_WORDS:
            return True
        return not any(letter.isalnum() or unicodedata.category(letter)[0] in MEANINGFUL_CATEGORIES for letter in text)
