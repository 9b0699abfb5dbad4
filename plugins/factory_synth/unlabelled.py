"""Files of texts that are not rows yet: without a label, or without the other half of a pair.

They are read by synthesizers and not by a source, so that none of them can enter the held-out test set (frozen):
a specialist is evaluated on human data only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
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

    file: Annotated[Path, Input()] = Field(description="file of texts, .jsonl or .txt, relative to the spec")
    map: dict[str, str] = Field({}, description="column to field, where their names differ")
    group: str = Field("", description="field of the group that stays together, such as a dialogue")
    licence: str = Field("", description="licence of the file, recorded in the bundle")

    def iter_file_rows(self, job: Job, names: tuple[str, ...]) -> Iterator[Row]:
        """Yield a row per line with the named columns as text; an invalid line is reported as a bad record."""
        path, fields = job.root / self.file, {name: self.map.get(name, name) for name in names}
        if path.suffix == ".txt":
            lines = enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1)
            records = iter([(number, {fields[names[0]]: line.strip()}) for number, line in lines if line.strip()])
        else:
            records = read_numbered_jsonl(path, str(self.file))
        for number, record in records:
            columns = {name: record.get(field) for name, field in fields.items()}
            invalid = [name for name, value in columns.items() if not isinstance(value, str) or not value.strip()]
            if invalid:
                problem = f"expected a text; available fields: {', '.join(sorted(record)) or 'none'}"
                job.report_bad_record(f"{self.file}:{number}: {fields[invalid[0]]}: {problem}")
            else:
                origin = Provenance(str(self.file), number, self.licence)
                yield Row(f"{self.file.stem}#{number}", columns, origin, str(record.get(self.group) or ""))


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
            tally.count_refusal("repeats a known text", key)
        else:
            seen.add(key)
            yield row


def build_completed_row(kind: str, row: Row, columns: Mapping[str, Any], detail: Mapping[str, Any]) -> Row:
    """Build a synthetic row from a line of the file, which becomes its provenance; it has no parent rows."""
    new = make_synthetic_row(kind, columns, group=row.group, **detail)
    return replace(new, provenance=replace(row.provenance, generator=kind, parents=(), detail=dict(detail)))
