"""JSONL files: one JSON object per line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from factory.api import Input, Job, read_numbered_jsonl
from factory_sources.records import FileSource, SourceRecord


class Jsonl(FileSource):
    """Reads a JSONL file, one row per line. Columns keep the JSON values of their fields."""

    kind = "jsonl"

    file: Annotated[Path, Input()] = Field(description="JSONL file, relative to the spec")

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        shown, stem = str(self.file), self.file.stem
        for number, values in read_numbered_jsonl(job.root / self.file, shown, job.report_bad_record):
            yield SourceRecord(shown, number, values, f"{stem}#{number}")
