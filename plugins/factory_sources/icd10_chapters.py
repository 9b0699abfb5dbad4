"""ICD-10-CM once more: clinicians' phrases, and the chapter of the classification that each belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pydantic import Field

from factory.api import Job, Provenance, Row, Source, normalise
from factory_sources.icd10 import LICENCE, PACKAGE, Span, package, tabular_path, wants
from factory_sources.icd10_tabular import read_tabular


class Icd10Chapters(Source):
    """The inclusion terms of ICD-10-CM as texts, their chapters as labels. Rows of one three-character category are a
    group: the families of the test rows are unseen in training.
    """

    kind = "icd10-chapters"
    gives = ("text", "label")

    chapters: list[Span] = Field([], description="letters, categories, or ranges: E, A-B, H60-H95; empty for all")

    def fingerprint(self) -> str:
        """The version of the package that the tables come from. Raises ModuleNotFoundError when it is not installed."""
        return package().version

    def rows(self, job: Job) -> Iterator[Row]:
        path = tabular_path()
        codes = [code for code in read_tabular(path) if wants(self.chapters, code.category)]
        found: defaultdict[str, set[str]] = defaultdict(set)
        for code in codes:
            for text, _ in code.phrases:
                found[normalise(text)].add(code.chapter)
        origin, skipped = f"{PACKAGE} {package().version}: {path.name}", 0
        for code in codes:
            for number, (text, line) in enumerate(code.phrases, 1):
                if len(found[normalise(text)]) > 1:
                    skipped += 1
                    continue
                columns = {"text": text, "label": code.chapter}
                yield Row(f"{code.name}#{number}", columns, Provenance(origin, line, LICENCE), group=code.category)
        if skipped:
            job.report.note(f"{skipped} phrases left out: they stand in several chapters")
