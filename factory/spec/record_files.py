"""Reading the first records of a user's data file, for a new spec."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.errors import InputError
from factory.text.delimited import DecodedLines, explain_csv_error, sniff_delimiter
from factory.text.file_formats import HEAD_BYTES, describe_binary_format
from factory.text.jsonl import read_numbered_jsonl

MAX_INSPECTED_RECORDS = 5000
"""Number of records read from the start of a file."""
KIND_BY_SUFFIX = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
}
SUPPORTED_SUFFIXES = ".jsonl, .csv, .tsv, .parquet"
CHAT_KIND = "chat-log"
FALLBACK_ENCODING = "cp1252"
"""What a file of a spreadsheet is in if it is not UTF-8; every byte but five is a character of it."""


@dataclass(frozen=True, slots=True)
class RecordFile:
    """The first records of a file, one more than MAX_INSPECTED_RECORDS at most. `kind` is that of the source.

    `encoding` is set if it is not UTF-8. Records of a chat log have the columns that the source makes of a chat.
    """

    kind: str
    records: list[Mapping[str, Any]]
    encoding: str = ""


def read_record_file(file: Path) -> RecordFile:
    """Read the first records. Raises InputError for an unknown format, an invalid line, or a file without records."""
    path = choose_record_file(file)
    kind = KIND_BY_SUFFIX.get(path.suffix.lower(), "")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not kind:
        raise InputError(f"{path}: unknown file type{_describe_head(path)}; supported: {SUPPORTED_SUFFIXES}")
    encoding = ""
    if kind == "jsonl":
        records = _take_first(value for _, value in read_numbered_jsonl(path))
    elif kind == "parquet":
        records = _take_first(_read_parquet_records(path))
    else:
        records, encoding = _read_csv_records(path)
    if not records:
        raise InputError(f"{path}: the file has no records")
    if kind == "jsonl" and isinstance(records[0].get("messages"), list):
        return RecordFile(CHAT_KIND, [_flatten_chat(record) for record in records])
    return RecordFile(kind, records, encoding)


def choose_record_file(path: Path) -> Path:
    """Return the only data file of a folder, or a file itself. Raises InputError for a folder with several, or none."""
    if not path.is_dir():
        return path
    files = [each for each in sorted(path.iterdir()) if each.suffix.lower() in KIND_BY_SUFFIX]
    if len(files) == 1:
        return files[0]
    names = ", ".join(each.name for each in files[:8])
    raise InputError(f"{path}: a folder{f' of several data files; name one of {names}' if files else ' without data'}")


def _describe_head(path: Path) -> str:
    with path.open("rb") as file:
        what = describe_binary_format(file.read(HEAD_BYTES))
    return f" ({what})" if what else ""


def _take_first(records: Iterator[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list(itertools.islice(records, MAX_INSPECTED_RECORDS + 1))


def _read_csv_records(path: Path) -> tuple[list[Mapping[str, Any]], str]:
    """Return the first records and the encoding, empty for UTF-8."""
    with path.open("rb") as file:
        if what := describe_binary_format(file.read(HEAD_BYTES)):
            raise InputError(f"{path}: expected CSV or TSV; this file is {what}")
    for encoding in ("utf-8", FALLBACK_ENCODING):
        records, problem = _parse_csv(path, encoding)
        if not problem:
            return records, "" if encoding == "utf-8" else encoding
    raise InputError(f"{path}:{problem}")


def _parse_csv(path: Path, encoding: str) -> tuple[list[Mapping[str, Any]], str]:
    """Return the first records as the source `csv` reads them, and what is wrong with their encoding, or empty."""
    records: list[Mapping[str, Any]] = []
    with path.open("rb") as file:
        lines = DecodedLines(file, encoding)
        delimiter = lines.delimiter or ("\t" if path.suffix.lower() == ".tsv" else sniff_delimiter(lines.sample))
        reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            for cells in itertools.islice(reader, MAX_INSPECTED_RECORDS + 1):
                if lines.decoding_error:
                    break
                if cells:
                    records.append(dict(zip(header, cells, strict=False)))
        except csv.Error as error:
            raise InputError(f"{path}:{lines.line_number}: {explain_csv_error(error)}") from None
    return records, lines.decoding_error


def _read_parquet_records(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise InputError(f"{file}: reading Parquet needs pyarrow: pip install 'specialist-factory[parquet]'") from error
    try:
        for batch in parquet.ParquetFile(file).iter_batches(1000):
            yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise InputError(f"{file}: not Parquet: {next(iter(str(error).splitlines()), '')}") from error


def _flatten_chat(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the other fields of a chat's line, and the columns that the source `chat-log` makes of its last turn."""
    turns = [turn for turn in record.get("messages") or () if isinstance(turn, Mapping)]
    texts = [(str(turn.get("role")), turn.get("content")) for turn in turns]
    last = {role: text for role, text in texts if isinstance(text, str)}
    columns = {"prompt": last.get("user"), "target": last.get("assistant"), "system": last.get("system")}
    # The history has a form of its own, which no column but `history` takes.
    return {**{name: value for name, value in record.items() if name != "messages"}, **columns, "history": turns[:-2]}
