"""A source: rows from a text file of `label: text` lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from factory.api import Input, Job, Provenance, Row, Source


class MyPlugin(Source):
    """Reads a row from each `label: text` line of a file; skips empty lines and those that start with #."""

    kind = "my-plugin"
    contract = 2
    output_columns = ("text", "label")

    # `Input` makes the file's content part of the key: if the file changes, all stages that depend on it run again.
    file: Annotated[Path, Input()] = Field(description="text file, relative to the spec")
    licence: str = Field("", description="licence of the file, for the bundle's card")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        lines = (job.root / self.file).read_text("utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            label, colon, text = line.partition(":")
            if not colon or not text.strip():
                # Fails the build, or, with `data.on_error: skip`, skips and counts the line.
                job.report_bad_record(f"{self.file}:{number}: expected `label: text`; add a colon after the label")
                continue
            # Rows of one group are never separated by the split: here, all lines with the same last word.
            yield Row(
                f"{self.file.stem}#{number}", {"text": text.strip(), "label": label.strip()},
                Provenance(str(self.file), number, self.licence), group=text.split()[-1],
            )
