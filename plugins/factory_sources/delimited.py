"""Tables as text: CSV, TSV, and what else spreadsheets export."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import Field, field_validator

from factory.api import Input, Job
from factory_sources.records import RecordSource, SourceRecord, require_columns

DELIMITERS = ",;\t|"
DELIMITER_SAMPLE_BYTES = 64 * 2**10
"""Bytes that are looked at to find the delimiter."""
DELIMITER_SAMPLE_RECORDS = 20
"""Records that are looked at."""
MAX_CELL_CHARACTERS = 16 * 2**20
"""Characters of the longest cell: Python's own limit is 128 thousand, less than a long document."""


class Csv(RecordSource):
    """A row for each record of a CSV or TSV file; every cell is text. Quoted cells may hold lines."""

    kind = "csv"

    file: Annotated[Path, Input()] = Field(description="the table, CSV or TSV, relative to the spec")
    delimiter: str = Field("", max_length=1, description="what stands between cells; empty to find it: , ; | or a tab")
    header: list[str] = Field([], description="names of the columns of a file whose first line does not say them")
    encoding: str = Field("utf-8", description="encoding of the file, such as utf-8 or cp1252")

    @field_validator("encoding")
    @classmethod
    def _validate_encoding(cls, encoding: str) -> str:
        try:
            if "\n".encode(encoding) == b"\n":
                return encoding
        except LookupError:
            raise ValueError(f"no such encoding: {encoding!r}; utf-8 and cp1252 are the usual ones") from None
        raise ValueError(f"{encoding!r} can not be read line by line; save the file as UTF-8")

    def describe_source(self) -> str:
        return str(self.file)

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        path, shown = job.root / self.file, str(self.file)
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        with path.open("rb") as file:
            lines = _DecodedLines(file, self.encoding)
            reader = csv.reader(iter(lines), delimiter=self._choose_delimiter(path), strict=True)
            header = self.header or self._read_csv_header(reader, lines)
            require_columns(self.list_source_fields(), header, shown)
            while (cells := self._read_csv_record(reader, lines, len(header), job)) is not None:
                line, values = cells
                if values:
                    yield SourceRecord(shown, line, dict(zip(header, values, strict=True)), f"{self.file.stem}#{line}")

    def _read_csv_header(self, reader: Iterator[list[str]], lines: _DecodedLines) -> list[str]:
        """The names of the columns. Raises ValueError for a file without, or with one twice."""
        try:
            header = [name.strip() for name in next(reader, [])]
        except csv.Error as error:
            raise ValueError(f"{self.file}:1: not CSV: {error}") from None
        if lines.decoding_error:
            raise ValueError(f"{self.file}:{lines.decoding_error}")
        if not any(header):
            raise ValueError(f"{self.file}:1: no names of columns; write them there, or say `header: [text, …]`")
        if twice := [name for number, name in enumerate(header) if name in header[:number]]:
            raise ValueError(f"{self.file}:1: {twice[0] or 'a column without a name'}: stands twice; rename one")
        return header

    def _read_csv_record(
        self, reader: Iterator[list[str]], lines: _DecodedLines, width: int, job: Job
    ) -> tuple[int, list[str]] | None:
        """The next record with its first line; without cells when it is empty or wrong; None when there is none."""
        line, lines.decoding_error = lines.line_number + 1, ""
        try:
            cells = next(reader)
        except StopIteration:
            return None
        except csv.Error as error:
            job.report_bad_record(f"{self.file}:{line}: not CSV: {error}; look at its quotes")
            return line, []
        if cells and lines.decoding_error:
            job.report_bad_record(f"{self.file}:{lines.decoding_error}")
            return line, []
        if cells and len(cells) != width:
            job.report_bad_record(
                f"{self.file}:{line}: {len(cells)} cells under {width} names; quote cells with a delimiter"
            )
            return line, []
        return line, cells

    def _choose_delimiter(self, path: Path) -> str:
        if self.delimiter or self.file.suffix == ".tsv":
            return self.delimiter or "\t"
        with path.open("rb") as file:
            return sniff_delimiter(file.read(DELIMITER_SAMPLE_BYTES).decode(self.encoding, "replace"))


class _DecodedLines:
    """A file's lines as text. `read` counts them; `wrong` says, as `line: why`, which is not of the encoding."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self.line_number, self.decoding_error = 0, ""
        self._file, self._encoding = file, codecs.lookup(encoding).name

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.line_number += 1
            try:
                text = line.decode(self._encoding)
            except UnicodeDecodeError as error:
                why = f"{error.reason} at byte {error.start} of the line"
                self.decoding_error = f"{self.line_number}: not {self._encoding.upper()}: {why}"
                text = line.decode(self._encoding, "replace")
            yield text.removeprefix("\ufeff") if self.line_number == 1 else text


def sniff_delimiter(sample: str) -> str:
    """The delimiter that cuts the first records into as many cells each, the most cells of equals; else a comma."""
    best, delimiter = (0.0, 1), ","
    for tried in DELIMITERS:
        try:
            records = csv.reader(io.StringIO(sample, ""), delimiter=tried)
            widths = [len(cells) for cells in islice(records, DELIMITER_SAMPLE_RECORDS) if cells]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            found = (widths.count(widths[0]) / len(widths), widths[0])
            best, delimiter = max((best, delimiter), (found, tried), key=lambda pair: pair[0])
    return delimiter
