"""Parquet files, and folders of Parquet shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from factory.api import Input, Job
from factory.text.file_formats import HEAD_BYTES, suggest_kind
from factory_sources.records import FileSource, SourceRecord, read_first_error_line, require_columns

PARQUET_BATCH_ROWS = 1024
"""Rows held in memory at a time."""


class Parquet(FileSource):
    """Reads a Parquet file, or all `*.parquet` in a folder in order of name. Only the named columns are read."""

    kind = "parquet"
    has_typed_values = True

    file: Annotated[Path, Input()] = Field(description=".parquet file or folder of them, relative to the spec")

    def list_required_modules(self) -> Mapping[str, str]:
        return {"pyarrow": "specialist-factory[parquet]"}

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        path = job.root / self.file
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
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
            with parquet.ParquetFile(path) as table:
                require_columns(self.list_source_fields(), table.schema_arrow.names, shown)
                number = 0
                for batch in table.iter_batches(batch_size=PARQUET_BATCH_ROWS, columns=self.list_source_fields()):
                    for values in batch.to_pylist():
                        number += 1
                        yield SourceRecord(shown, number, values, f"{path.stem}#{number}")
        except pyarrow.ArrowException as error:
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
            # A file that begins as Parquet is a damaged one.
            why = read_first_error_line(error) if head.startswith(b"PAR1") else suggest_kind(head)
            raise ValueError(f"{shown}: not Parquet: {why}") from error
