"""Texts that are no rows yet: a file of what nobody has labelled or written the other half of.

They come in here and not through a source, so that none of them can be drawn into the frozen test set: what a
specialist is judged by stays what people gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from factory.api import (
    Input,
    Job,
    Provenance,
    Row,
    RowsJob,
    SpecBlock,
    make_synthetic_row,
    normalise,
    read_numbered_jsonl,
)
from factory_synth.synthesis_common import Tally


class UnlabelledTexts(SpecBlock):
    """A file of texts: JSON objects, one a line, or (`.txt`) plain texts, one a line."""

    file: Annotated[Path, Input()] = Field(description="the texts, .jsonl or .txt, relative to the spec")
    map: dict[str, str] = Field({}, description="columns and the fields they are read from; empty for the same names")
    group: str = Field("", description="field of what must stay together, such as a dialogue")
    licence: str = Field("", description="licence of the file, for the bundle's notes")

    def iter_file_rows(self, job: Job, wanted: tuple[str, ...]) -> Iterator[Row]:
        """A row for each line, with the wanted columns as text. A wrong line stops the build or is counted."""
        for number, record in self._iter_text_records(job, wanted):
            found = {column: record.get(self.map.get(column, column)) for column in wanted}
            faulty = [column for column, value in found.items() if not isinstance(value, str) or not value.strip()]
            if faulty:
                field, there = self.map.get(faulty[0], faulty[0]), ", ".join(sorted(record)) or "none"
                job.report_bad_record(f"{self.file}:{number}: {field}: text is wanted; there are {there}")
                continue
            origin = Provenance(str(self.file), number, self.licence)
            yield Row(f"{self.file.stem}#{number}", found, origin, str(record.get(self.group) or ""))

    def _iter_text_records(self, job: Job, wanted: tuple[str, ...]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        path = job.root / self.file
        if path.suffix != ".txt":
            yield from read_numbered_jsonl(path, str(self.file))
            return
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
            if line.strip():
                yield number, {self.map.get(wanted[0], wanted[0]): line.strip()}


def read_unseen_rows(
    job: RowsJob, texts: UnlabelledTexts, lacking: str, labelled: Sequence[Row], text: Callable[[Row], str], tally: Tally
) -> Iterator[Row]:
    """The rows of the file, without the column that they lack: each text once, and none that labelled rows have."""
    named = [*([job.task.text_column, *job.task.columns] if job.task else []), *texts.map]
    wanted = tuple(dict.fromkeys(name for name in named if name and name != lacking))
    seen = {normalise(text(row)) for row in labelled}
    for row in texts.iter_file_rows(job, wanted):
        key = normalise(text(row))
        if key in seen:
            tally.count_refusal("texts are there already", key)
        else:
            seen.add(key)
            yield row


def build_completed_row(kind: str, row: Row, columns: Mapping[str, Any], detail: Mapping[str, Any]) -> Row:
    """A line of the file as a row: named by its content, from its line, made by `kind`, with no row as its parent."""
    new = make_synthetic_row(kind, columns, group=row.group, **detail)
    origin = row.provenance
    return Row(
        new.id, new.columns, Provenance(origin.source, origin.line, origin.licence, kind, (), dict(detail)), row.group,
    )
