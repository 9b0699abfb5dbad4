"""Delimited text files: CSV, TSV, and other exports of spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from factory.api import Input, Job
from factory.api.spec_block import UnkeyedDefault
from factory.text.delimited import DecodedLines, explain_csv_error, sniff_delimiter
from factory.text.file_formats import HEAD_BYTES, describe_binary_format
from factory_sources.records import FileSource, SourceRecord, require_columns

MAX_CELL_CHARACTERS = 16 * 2**20
"""Longest cell; Python's own limit of 128 thousand characters is less than a long document."""


class Csv(FileSource):
    """Reads a CSV or TSV file, one row per record; every cell is text, or a list of texts if `lists` says so.

    Quoted cells may contain line breaks.
    """

    kind = "csv"

    file: Annotated[Path, Input()] = Field(description="CSV or TSV file, relative to the spec")
    delimiter: str = Field("", max_length=1, description="cell delimiter; empty to detect it among , ; | and tab")
    header: list[str] = Field([], description="column names of a file without a header line")
    lists: Annotated[dict[str, str], UnkeyedDefault] = Field(
        {}, description="fields whose cells hold any number of texts, and what separates these, as {label: ';'}"
    )
    encoding: str = Field("utf-8", description="encoding of the file, such as utf-8 or cp1252")

    @field_validator("lists")
    @classmethod
    def _validate_separators(cls, lists: dict[str, str]) -> dict[str, str]:
        if empty := [name for name, separator in lists.items() if not separator]:
            raise ValueError(f"{empty[0]}: the separator is empty; use one such as ';' or '|'")
        return lists

    @field_validator("encoding")
    @classmethod
    def _validate_encoding(cls, encoding: str) -> str:
        try:
            if "\n".encode(encoding) == b"\n":
                return encoding
        except LookupError:
            raise ValueError(f"unknown encoding {encoding!r}; the usual ones are utf-8 and cp1252") from None
        raise ValueError(f"{encoding!r} cannot be read line by line; save the file as UTF-8")

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        with (job.root / self.file).open("rb") as file:
            if what := describe_binary_format(file.peek(HEAD_BYTES)[:HEAD_BYTES]):
                raise ValueError(f"{self.file}: expected CSV or TSV; this file is {what}")
            lines = DecodedLines(file, self.encoding)
            reader = csv.reader(iter(lines), delimiter=self._choose_delimiter(lines), strict=True)
            header = self.header or self._read_csv_header(reader, lines)
            require_columns([*self.list_source_fields(), *self.lists], header, str(self.file))
            for line, cells in self._iterate_csv_records(reader, lines, len(header), job):
                values: dict[str, Any] = dict(zip(header, cells, strict=True))
                for name, separator in self.lists.items():
                    values[name] = [part.strip() for part in values[name].split(separator) if part.strip()]
                yield SourceRecord(str(self.file), line, values, f"{self.file.stem}#{line}")

    def _choose_delimiter(self, lines: DecodedLines) -> str:
        by_suffix = "\t" if self.file.suffix == ".tsv" else ""
        return self.delimiter or lines.delimiter or by_suffix or sniff_delimiter(lines.sample)

    def _read_csv_header(self, reader: Iterator[list[str]], lines: DecodedLines) -> list[str]:
        """Return the column names. Raises ValueError if there are none, or one occurs twice."""
        try:
            header = [name.strip() for name in next(reader, [])]
        except csv.Error as error:
            raise ValueError(f"{self.file}:{lines.line_number}: {explain_csv_error(error)}") from None
        if lines.decoding_error:
            raise ValueError(f"{self.file}:{lines.decoding_error}")
        if not any(header):
            raise ValueError(f"{self.file}:1: no column names; add a header line, or set `header: [text, …]`")
        if twice := [name for number, name in enumerate(header) if name in header[:number]]:
            raise ValueError(f"{self.file}:1: duplicate column {twice[0]!r}; rename one")
        return header

    def _iterate_csv_records(
        self, reader: Iterator[list[str]], lines: DecodedLines, width: int, job: Job
    ) -> Iterator[tuple[int, list[str]]]:
        """Yield (first line, cells) of each record that is not empty; report invalid ones to the job."""
        while True:
            # A quoted cell may span lines: the record begins on the line after the last one consumed.
            line, lines.decoding_error = lines.line_number + 1, ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                why = explain_csv_error(error, "; check the quotes of this record")
                job.report_bad_record(f"{self.file}:{line}: {why}")
                continue
            if cells and lines.decoding_error:
                job.report_bad_record(f"{self.file}:{lines.decoding_error}")
            elif cells and len(cells) != width:
                why = f"{len(cells)} cells for {width} columns; quote cells that contain the delimiter"
                job.report_bad_record(f"{self.file}:{line}: {why}")
            elif cells:
                yield line, cells
