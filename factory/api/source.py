"""The role of plugins that read rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from factory.api.jobs import Job
from factory.api.plugin import Plugin
from factory.api.rows import Row

Columns = tuple[str, ...]


class Source(Plugin):
    """Reads rows; `output_columns` are the columns of its rows, `tables` the side tables that it fills."""

    role = "source"
    output_columns: ClassVar[Columns] = ()
    tables: ClassVar[Columns] = ()

    inspected_rows: ClassVar[int] = 2000
    """First rows that `factory check` reads; 0 where reading needs a heavy library, or takes seconds."""

    weight: float = Field(0, ge=0, description="share of a mixture of training rows, relative to other weights; 0: all")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        """Yield rows with their provenance. Report an invalid record with `job.report_bad_record`, by file, line and
        field; raise ValueError for any other problem."""
        raise NotImplementedError

    @classmethod
    def draft_fields(cls, data: Path) -> Mapping[str, Any]:
        """Return the fields of a block that reads a file or folder, for `factory new spec --from`; {} if it can not.

        Fields that name files are whole paths. Raises ValueError for data of this source that lacks something.
        """
        return {}

    def compute_identity(self, root: Path) -> dict[str, Any]:
        """Return what this block contributes to a key; an unset weight is left out."""
        identity = super().compute_identity(root)
        if not self.weight:
            del identity["fields"]["weight"]
        return identity
