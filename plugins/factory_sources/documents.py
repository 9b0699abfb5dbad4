"""A folder of documents, cut into passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from factory.api import Input, Job
from factory_sources.chunks import passages, tokens
from factory_sources.markup import READERS, Block, title
from factory_sources.records import Record, Records


class Documents(Records):
    """A row for each passage of the Markdown, text and HTML files below a folder, or an entry of a side table.

    Fields are `text`, `title`, `heading` and `file`; all but the last are columns unless others are named. A passage
    never crosses a heading; `heading` is the path of headings above it. Passages of one file are a group.
    """

    kind = "documents"
    usual = ("text", "title", "heading")
    known = ("text", "title", "heading", "file")

    folder: Annotated[Path, Input()] = Field(description="the folder of .md, .txt and .html, relative to the spec")
    tokens: int = Field(200, ge=8, description="size of a passage at most, in words and signs")
    least: int = Field(0, ge=0, description="passages of fewer are left out and counted")
    table: Literal["", "documents"] = Field("", description="the side table to fill; empty to make rows")

    @property
    def tables(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the field is
        """The side table that it fills."""
        return (self.table,) if self.table else ()

    @property
    def output_columns(self) -> tuple[str, ...]:  # type: ignore[override]  # a side table's entries are no rows
        """The columns that its rows have."""
        return () if self.table else tuple(self.wanted)

    def fills(self) -> str:
        return self.table

    def called(self) -> str:
        return str(self.folder)

    def records(self, job: Job) -> Iterator[Record]:
        folder = job.root / self.folder
        files = sorted(path for path in folder.rglob("*") if _counts(path, folder))
        if not files:
            raise ValueError(f"{self.folder}: no {', '.join(READERS)} file in this folder")
        small = 0
        for path in files:
            name = path.relative_to(folder).as_posix()
            text = _read(path, f"{self.folder}/{name}", job)
            for record in self._passages(name, path.suffix.lower(), text):
                if tokens(record.values["text"]) < self.least:
                    small += 1
                else:
                    yield record
        if small:
            job.report.note(f"{self.folder}: {small} passages of fewer than {self.least} tokens left out")

    def _passages(self, name: str, suffix: str, text: str) -> Iterator[Record]:
        blocks = list(READERS[suffix](text))
        called = (title(text) if "htm" in suffix else "") or _first_heading(blocks) or Path(name).stem
        for number, passage in enumerate(passages(blocks, self.tokens), 1):
            values = {"text": passage.text, "title": called, "heading": " > ".join(passage.headings), "file": name}
            detail = {"heading": list(passage.headings)}
            yield Record(f"{self.folder}/{name}", passage.line, values, f"{name}#{number}", name, detail)


def _counts(path: Path, folder: Path) -> bool:
    """Whether it is a document; what is hidden is none."""
    shown = not any(part.startswith(".") for part in path.relative_to(folder).parts)
    return shown and path.suffix.lower() in READERS and path.is_file()


def _read(path: Path, shown: str, job: Job) -> str:
    """A file's text. One that is not UTF-8 is told to the job by line, and reads as nothing."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        job.report_bad_record(f"{shown}:{line}: not UTF-8: {error.reason} at byte {error.start} of the file")
        return ""


def _first_heading(blocks: list[Block]) -> str:
    return next((block.text for block in blocks if block.level == 1), "")
