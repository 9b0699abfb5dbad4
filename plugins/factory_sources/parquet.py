"""Parquet files, and folders of Parquet shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from factory.api import Input, Job
from factory.text.file_formats import HEAD_BYTES, suggest_kind
from factory_sources.folder_files import select_inside_files
from factory_sources.records import FileSource, SourceRecord, read_first_error_line, require_columns

PARQUET_BATCH_ROWS = 1024
"""Rows held in memory at a time, with each text once."""
PYTHON_ROWS = 32
"""Rows held in memory at a time as Python objects."""
MAX_CHUNK_BYTES, MAX_RATIO = 64 << 20, 100
"""A column of one row group may unpack to so many bytes, or to so many times what it takes in the file."""
MAX_ROWS_PER_BYTE = 10_000
"""Rows of a file for each of its bytes."""


class Parquet(FileSource):
    """Reads a Parquet file, or all `*.parquet` in a folder in order of name. Only the named columns are read."""

    kind = "parquet"
    has_typed_values = True

    file: Annotated[Path, Input()] = Field(description=".parquet file or folder of them, relative to the spec")

    def list_required_modules(self) -> Mapping[str, str]:
        return {"pyarrow": "specialist-factory[parquet]"}

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        path = job.root / self.file
        files = select_inside_files(path, path.glob("*.parquet"), str(self.file), job) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"{self.file}: no .parquet files in this folder")
        for file in files:
            yield from self._read_shard(file, str(self.file / file.name if path.is_dir() else self.file))

    def _read_shard(self, path: Path, shown: str) -> Iterator[SourceRecord]:
        try:
            import pyarrow
            from pyarrow import parquet
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("Parquet needs pyarrow: pip install 'specialist-factory[parquet]'") from error
        try:
            fields, number = self.list_source_fields(), 0
            with parquet.ParquetFile(path) as file:
                require_columns(fields, file.schema_arrow.names, shown)
                texts = _check_columns(file.metadata, set(fields), path.stat().st_size, shown)
            # Text is read with its dictionary: a value that is stored once may be that of a million rows.
            with parquet.ParquetFile(path, read_dictionary=texts) as file:
                for batch in file.iter_batches(batch_size=PARQUET_BATCH_ROWS, columns=fields):
                    for start in range(0, batch.num_rows, PYTHON_ROWS):
                        for values in batch.slice(start, PYTHON_ROWS).to_pylist():
                            number += 1
                            yield SourceRecord(shown, number, values, f"{path.stem}#{number}")
        except pyarrow.ArrowException as error:
            with path.open("rb") as damaged:
                head = damaged.read(HEAD_BYTES)
            # A file that begins as Parquet is a damaged one.
            why = read_first_error_line(error) if head.startswith(b"PAR1") else suggest_kind(head)
            raise ValueError(f"{shown}: not Parquet: {why}") from error
        except (UnicodeDecodeError, OSError) as error:  # damage within the file, where no error names it
            if isinstance(error, OSError) and error.filename:
                raise
            problem = f"damaged: {read_first_error_line(error)}; write it again, or take another copy"
            raise ValueError(f"{shown}: {problem}") from error


def _check_columns(metadata: Any, fields: set[str], size: int, shown: str) -> list[str]:
    """Return the columns of text among `fields`, those within lists and structures aside.

    Raises ValueError for a file that unpacks to far more than it looks, by its own sizes.
    """
    if metadata.num_rows > size * MAX_ROWS_PER_BYTE:
        raise ValueError(f"{shown}: {metadata.num_rows:,} rows in {size:,} bytes; this is not a file of data")
    texts: set[str] = set()
    for group in range(metadata.num_row_groups):
        for index in range(metadata.row_group(group).num_columns):
            column = metadata.row_group(group).column(index)
            if column.path_in_schema.partition(".")[0] not in fields:
                continue
            unpacked, packed = column.total_uncompressed_size, max(1, column.total_compressed_size)
            if unpacked > MAX_CHUNK_BYTES and unpacked > MAX_RATIO * packed:
                text = f"{unpacked >> 20:,} MiB from {packed:,} bytes; write it with smaller row groups"
                raise ValueError(f"{shown}: {column.path_in_schema}: unpacks to {text}")
            if column.physical_type == "BYTE_ARRAY" and column.path_in_schema in fields:
                texts.add(column.path_in_schema)
    return sorted(texts)
