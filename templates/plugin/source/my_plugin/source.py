"""Rows from a text file of `label: text` lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from factory.api import Input, Job, Provenance, Row, Source


class MyPlugin(Source):
    """A row for each `label: text` line of a file; empty lines, and those that begin with #, are passed over."""

    kind = "my-plugin"
    contract = 1
    output_columns = ("text", "label")

    # `Input` makes the file's content part of the key: change the file, and what stands on it runs again.
    file: Annotated[Path, Input()] = Field(description="the lines, relative to the spec")
    licence: str = Field("", description="licence of the file, for the bundle's notes")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        lines = (job.root / self.file).read_text("utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            label, colon, text = line.partition(":")
            if not colon or not text.strip():
                # Says what is wrong and where; a spec may choose to skip such lines, which are then counted.
                job.report_bad_record(f"{self.file}:{number}: no `label: text`; write a colon after the label")
                continue
            # The group keeps what belongs together on one side of the split: here, all lines of the same last word.
            yield Row(
                f"{self.file.stem}#{number}", {"text": text.strip(), "label": label.strip()},
                Provenance(str(self.file), number, self.licence), group=text.split()[-1],
            )
