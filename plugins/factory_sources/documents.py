"""Folders of documents, split into passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from factory.api import Input, Job
from factory_sources.chunking import count_approximate_tokens, split_into_passages
from factory_sources.document_blocks import BLOCK_PARSERS, read_html_title
from factory_sources.folder_files import select_inside_files
from factory_sources.records import RecordSource, SourceRecord

MAX_DOCUMENT_BYTES = 64 << 20


class Documents(RecordSource):
    """Splits the Markdown, text and HTML files below a folder into passages: rows, or entries of a side table.

    Fields are `text`, `title`, `heading` and `file`; by default, all but the last become columns. A passage never
    crosses a heading; `heading` is the path of headings above it. Passages of one file are a group.
    """

    kind = "documents"
    version = 2
    default_columns = ("text", "title", "heading")
    known_fields = ("text", "title", "heading", "file")

    folder: Annotated[Path, Input()] = Field(description="folder of .md, .txt and .html files, relative to the spec")
    max_tokens: int = Field(200, ge=8, description="longest passage, in words and punctuation marks")
    min_tokens: int = Field(0, ge=0, description="shorter passages are skipped and counted")
    table: Literal["", "documents"] = Field("", description="side table to fill; empty to yield rows")

    @property
    def tables(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the field is
        return (self.table,) if self.table else ()

    @property
    def output_columns(self) -> tuple[str, ...]:  # type: ignore[override]  # a side table's entries are no rows
        return () if self.table else tuple(self.column_fields)

    def describe_source(self) -> str:
        return str(self.folder)

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        folder, skipped = job.root / self.folder, 0
        found = (path for path in folder.rglob("*") if path.suffix.lower() in BLOCK_PARSERS)
        files = select_inside_files(folder, found, str(self.folder), job)
        names = [path.relative_to(folder) for path in files]
        names = [name for name in names if not any(part.startswith(".") for part in name.parts)]  # hidden files
        if not names:
            raise ValueError(f"{self.folder}: no {', '.join(BLOCK_PARSERS)} files in this folder")
        for name in names:
            text = _read_document_text(folder / name, f"{self.folder}/{name.as_posix()}", job)
            for record in self._read_passages(name.as_posix(), name.suffix.lower(), text):
                if count_approximate_tokens(record.values["text"]) < self.min_tokens:
                    skipped += 1
                else:
                    yield record
        if skipped:
            what = f"{skipped} passage{'s' * (skipped > 1)} of fewer than {self.min_tokens} tokens"
            job.report.note(f"{self.folder}: skipped {what}")

    def _read_passages(self, name: str, suffix: str, text: str) -> Iterator[SourceRecord]:
        blocks = list(BLOCK_PARSERS[suffix](text))
        first_heading = next((block.text for block in blocks if block.level == 1), "")
        title = (read_html_title(text) if "htm" in suffix else "") or first_heading or Path(name).stem
        for number, passage in enumerate(split_into_passages(blocks, self.max_tokens), 1):
            values = {"text": passage.text, "title": title, "heading": " > ".join(passage.headings), "file": name}
            detail = {"heading": list(passage.headings)}
            yield SourceRecord(f"{self.folder}/{name}", passage.line, values, f"{name}#{number}", name, detail)


def _read_document_text(path: Path, shown: str, job: Job) -> str:
    """Return the text of a file; report one that is not UTF-8 to the job by line, and return an empty text."""
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        job.report_bad_record(f"{shown}: larger than {MAX_DOCUMENT_BYTES >> 20} MiB; split it into several documents")
        return ""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        job.report_bad_record(f"{shown}:{line}: not UTF-8: {error.reason} at byte {error.start} of the file")
        return ""
