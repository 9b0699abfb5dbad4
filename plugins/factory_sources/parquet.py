"""Parquet files, and folders of Parquet shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from factory.api import Input, Job
from factory_sources.records import RecordSource, SourceRecord, convert_to_json_value, require_columns

PARQUET_BATCH_ROWS = 1024
"""Rows held in memory at a time."""


class Parquet(RecordSource):
    """Reads a Parquet file, or all `*.parquet` in a folder in order of name. Only the named columns are read."""

    kind = "parquet"

    file: Annotated[Path, Input()] = Field(description=".parquet file or folder of them, relative to the spec")

    def describe_source(self) -> str:
        return str(self.file)

    def convert_field_value(self, value: Any) -> Any:
        return convert_to_json_value(value)

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        path = job.root / self.file
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"{self.file}: no .parquet files in this folder")
        for file in files:
            shown = str(self.file / file.name if path.is_dir() else self.file)
            yield from self._read_shard(file, shown)

    def _read_shard(self, path: Path, shown: str) -> Iterator[SourceRecord]:
        pyarrow, parquet = _import_pyarrow()
        try:
            with parquet.ParquetFile(path) as file:
                require_columns(self.list_source_fields(), file.schema_arrow.names, shown)
                number = 0
                for batch in file.iter_batches(batch_size=PARQUET_BATCH_ROWS, columns=self.list_source_fields()):
                    for values in batch.to_pylist():
                        number += 1
                        yield SourceRecord(shown, number, values, f"{path.stem}#{number}")
        except pyarrow.ArrowException as error:
            reason = next(iter(str(error).splitlines()), "")
            raise ValueError(f"{shown}: not Parquet: {reason.rstrip('.')}") from error


def _import_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("Parquet needs pyarrow: pip install 'specialist-factory[parquet]'") from error
    return pyarrow, parquet
