"""A synthesizer that reads a glossary: the same text as another house would say it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from factory.api import Input, Plugin, Row, RowsJob, Synthesizer, hookimpl, make_synthetic_row


class Glossary(Synthesizer):
    """Adds a copy of each row that holds a term of the glossary, with another word of its line in the term's place.

    The glossary is a CSV without a head; the words of a line mean the same. All else of the row stays.
    """

    kind = "glossary"
    contract = 2

    file: Annotated[Path, Input()] = Field(description="the glossary, CSV, relative to the spec")
    column: str = Field("text", description="the column whose terms are replaced")
    most: int = Field(2, ge=1, le=20, description="copies of a row, at most")

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        words = self._words(job)
        pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})\b", re.IGNORECASE)
        for done, row in enumerate(job.rows, 1):
            job.report.report_progress(done, len(job.rows))
            text = str(row[self.column])
            found = pattern.search(text)
            for other in words[found.group().lower()][: self.most] if found else ():
                said = text[: found.start()] + other + text[found.end() :]
                yield make_synthetic_row(
                    self.kind, {**row.columns, self.column: said}, [row], term=found.group().lower()
                )

    def _words(self, job: RowsJob) -> dict[str, list[str]]:
        """Term → the other words of its line. Raises ValueError with the line that has no two words."""
        words: dict[str, list[str]] = {}
        with (job.root / self.file).open(encoding="utf-8", newline="") as lines:
            for number, line in enumerate(csv.reader(lines), 1):
                terms = [term.strip() for term in line if term.strip()]
                if len(terms) == 1:
                    raise ValueError(f"{self.file}:{number}: a line needs two words or more, has {terms[0]!r} alone")
                words |= {term.lower(): [other for other in terms if other != term] for term in terms}
        if not words:
            raise ValueError(f"{self.file}: the glossary is empty")
        return words


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The synthesizer."""
    return [Glossary]
