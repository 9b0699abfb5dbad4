"""Lines and delimiters of delimited text files (CSV, TSV), as spreadsheets export them."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

DELIMITERS = ",;\t|"
DELIMITER_SAMPLE_BYTES = 64 * 2**10
"""Bytes read to detect the delimiter."""
DELIMITER_SAMPLE_RECORDS = 20
"""Records parsed to detect the delimiter."""
EXCEL_DELIMITER_LINE = re.compile(rb"(?:\xef\xbb\xbf)?\"?sep=([,;|\t])\"?\r?\n")
"""Excel's first line `sep=;`, which says what separates cells and is no record."""


class DecodedLines:
    """Iterates over the lines of a file as text; `decoding_error` describes a line that is not in the encoding.

    A first line `sep=;` of Excel is left out, and counted; `delimiter` is what it says, or empty.
    """

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self.line_number, self.decoding_error = 0, ""
        self._file, self._encoding = file, codecs.lookup(encoding).name
        sample = file.read(DELIMITER_SAMPLE_BYTES)
        excel = EXCEL_DELIMITER_LINE.match(sample)
        self.delimiter = excel.group(1).decode() if excel else ""
        self.sample = sample[excel.end() if excel else 0 :].decode(self._encoding, "replace")
        file.seek(excel.end() if excel else 0)
        self.line_number += bool(excel)

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.line_number += 1
            try:
                text = line.decode(self._encoding)
            except UnicodeDecodeError as error:
                why = f"{error.reason} at byte {error.start} of the line"
                remedy = "set `encoding` to that of the file, such as cp1252 (Excel on Windows)"
                self.decoding_error = f"{self.line_number}: not {self._encoding.upper()}: {why}; {remedy}"
                text = line.decode(self._encoding, "replace")
            yield text.removeprefix("\ufeff") if self.line_number == 1 else text


def sniff_delimiter(sample: str) -> str:
    """Return the delimiter with the most consistent cell count per record; of equals, the one with the most cells."""
    best, delimiter = (0.0, 1), ","
    for candidate in DELIMITERS:
        try:
            records = csv.reader(io.StringIO(sample, ""), delimiter=candidate)
            widths = [len(cells) for cells in islice(records, DELIMITER_SAMPLE_RECORDS) if cells]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            score = (widths.count(widths[0]) / len(widths), widths[0])
            best, delimiter = max((best, delimiter), (score, candidate), key=lambda pair: pair[0])
    return delimiter


def explain_csv_error(error: csv.Error, remedy: str = "") -> str:
    """Return what is wrong with a record in words of the file, and what to do."""
    if "new-line character" in str(error):
        return "a line ends in a carriage return alone (old Mac); save the file with line feeds (LF)"
    return f"not CSV: {error}{remedy}"
