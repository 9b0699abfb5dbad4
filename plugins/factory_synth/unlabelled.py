"""Files of texts that are not rows yet: without a label, or without the other half of a pair.

They are read by synthesizers and not by a source, so that none of them can enter the held-out test set (frozen):
a specialist is evaluated on human data only.
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
    """A file of texts: JSON objects, or plain texts (`.txt`), one per line."""

    file: Annotated[Path, Input()] = Field(description="texts, .jsonl or .txt, relative to the spec")
    map: dict[str, str] = Field({}, description="column to field, where their names differ")
    group: str = Field("", description="field of the group that stays together, such as a dialogue")
    licence: str = Field("", description="licence of the file, for the bundle's notes")

    def iter_file_rows(self, job: Job, names: tuple[str, ...]) -> Iterator[Row]:
        """Yield a row per line with the named columns as text; an invalid line is reported as a bad record."""
        for number, record in self._iter_text_records(job, names):
            columns = {name: record.get(self.map.get(name, name)) for name in names}
            invalid = [name for name, value in columns.items() if not isinstance(value, str) or not value.strip()]
            if invalid:
                field, available = self.map.get(invalid[0], invalid[0]), ", ".join(sorted(record)) or "none"
                job.report_bad_record(f"{self.file}:{number}: {field}: expected a text; available fields: {available}")
                continue
            origin = Provenance(str(self.file), number, self.licence)
            yield Row(f"{self.file.stem}#{number}", columns, origin, str(record.get(self.group) or ""))

    def _iter_text_records(self, job: Job, names: tuple[str, ...]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        path = job.root / self.file
        if path.suffix != ".txt":
            yield from read_numbered_jsonl(path, str(self.file))
            return
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
            if line.strip():
                yield number, {self.map.get(names[0], names[0]): line.strip()}


def read_unseen_rows(
    job: RowsJob, texts: UnlabelledTexts, label: str, labelled: Sequence[Row], get_text: Callable[[Row], str],
    tally: Tally,
) -> Iterator[Row]:
    """Yield the file's rows without the `label` column, each text once and none that a labelled row has."""
    columns = [*([job.task.text_column, *job.task.columns] if job.task else []), *texts.map]
    names = tuple(dict.fromkeys(name for name in columns if name and name != label))
    seen = {normalise(get_text(row)) for row in labelled}
    for row in texts.iter_file_rows(job, names):
        key = normalise(get_text(row))
        if key in seen:
            tally.count_refusal("repeat a known text", key)
        else:
            seen.add(key)
            yield row


def build_completed_row(kind: str, row: Row, columns: Mapping[str, Any], detail: Mapping[str, Any]) -> Row:
    """Build a synthetic row from a line of the file, which becomes its provenance; it has no parent rows."""
    new = make_synthetic_row(kind, columns, group=row.group, **detail)
    source = row.provenance
    origin = Provenance(source.source, source.line, source.licence, kind, (), dict(detail))
    return Row(new.id, new.columns, origin, row.group)
