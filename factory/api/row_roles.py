"""The roles of plugins that make and choose training rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from factory.api.jobs import RowsJob
from factory.api.plugin import Plugin
from factory.api.rows import Decision, Row
from factory.api.source import Columns


class Synthesizer(Plugin):
    """Generates training rows. A yielded row replaces the row of the same id, or is added; other rows stay."""

    role = "synthesizer"
    columns: ClassVar[Columns] = ()
    output_columns: ClassVar[Columns] = ()

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        """Yield new or enriched training rows."""
        raise NotImplementedError


class Curator(Plugin):
    """Filters training rows, and may change or flag those that stay.

    `share_metric` names the share of rows that it would drop, change or flag, for limits in `data.require`.
    """

    role = "curator"
    columns: ClassVar[Columns] = ()
    share_metric: ClassVar[str] = ""

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        """Yield a decision for each row; a row without a decision stays as it is."""
        raise NotImplementedError
