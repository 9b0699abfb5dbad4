"""ICD-10-CM as a retrieval dataset: inclusion terms (clinicians' phrases) and the codes that they belong to."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from factory.api import Job, Provenance, Row, Source, normalise_words
from factory_sources.icd10_tabular import Icd10Code, read_tabular
from factory_sources.installed_package import find_distribution

ICD10_PACKAGE = "simple-icd-10-cm"
ICD10_LICENCE = "US public domain (CDC NCHS tabular list), packaged under MIT"
CodeSpan = Annotated[str, Field(pattern=r"^([A-Z]|[A-Z][0-9][0-9A-Z])(-([A-Z]|[A-Z][0-9][0-9A-Z]))?$")]
ParentContext = Literal["none", "parent", "new-parent", "category", "path"]


class Icd10Source(Source):
    """A source that reads chapters of the ICD-10-CM tabular list in the package simple-icd-10-cm."""

    chapters: list[CodeSpan] = Field([], description="letters, categories or ranges: E, A-B, H60-H95; empty for all")

    def compute_fingerprint(self) -> str:
        """Return the version of the ICD-10 package. Raises ModuleNotFoundError if it is not installed."""
        return find_distribution(ICD10_PACKAGE).version

    def read_codes(self) -> tuple[str, list[Icd10Code]]:
        """Return the name of the newest tabular list, for provenance, and its codes in the chapters.

        Raises ModuleNotFoundError if the package or its list is missing, ValueError if no code is in the chapters.
        """
        package = find_distribution(ICD10_PACKAGE)
        origin = f"{ICD10_PACKAGE} {package.version}"
        files = [file for file in package.files or () if re.search(r"icd10c-tabular.*\.xml$", file.name)]
        if not files:
            raise ModuleNotFoundError(f"{origin} has no tabular list: pip install -U {ICD10_PACKAGE}")
        newest = max(files, key=lambda file: file.name)
        codes = read_tabular(Path(str(newest.locate())))
        codes = [code for code in codes if is_in_chapters(self.chapters, code.category)]
        if not codes:
            raise ValueError(f"{newest.name}: no code in the chapters {', '.join(self.chapters)}")
        return f"{origin}: {newest.name}", codes


class Icd10(Icd10Source):
    """Reads the ICD-10-CM tabular list of simple-icd-10-cm: inclusion terms are queries, codes are documents."""

    kind = "icd10"
    inspected_rows = 0
    output_columns = ("query", "relevant")
    tables = ("documents",)

    context: ParentContext = Field("parent", description="parents whose descriptions precede that of the code")
    trivial: Literal["skip", "keep"] = Field("skip", description="whether to skip terms that repeat a description")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        origin, codes = self.read_codes()
        for code in codes:
            columns = {"text": render_code_document(code, self.context)}
            provenance = Provenance(origin, code.line, ICD10_LICENCE)
            yield Row(code.name, columns, provenance, code.category, table="documents")
        yield from self._iterate_query_rows(origin, codes, job)

    def _iterate_query_rows(self, origin: str, codes: list[Icd10Code], job: Job) -> Iterator[Row]:
        """Yield a row per term that belongs to a single code; note the number of others."""
        meanings: defaultdict[str, set[str]] = defaultdict(set)
        for code in codes:
            for text, _ in code.phrases:
                meanings[normalise_words(text)].add(code.name)
        descriptions = {normalise_words(code.description) for code in codes}
        skipped: Counter[str] = Counter()
        for code in codes:
            for number, (text, line) in enumerate(code.phrases, 1):
                term = normalise_words(text)
                if len(meanings[term]) > 1:
                    skipped["belong to several codes"] += 1
                elif term in descriptions and self.trivial == "skip":
                    skipped["repeat a description"] += 1
                else:
                    columns = {"query": text, "relevant": {code.name: 1}}
                    yield Row(f"{code.name}#{number}", columns, Provenance(origin, line, ICD10_LICENCE), code.category)
        for why, count in sorted(skipped.items()):
            job.report.note(f"inclusion terms that {why}: skipped {count}")


def is_in_chapters(chapters: Sequence[str], category: str) -> bool:
    """Return whether a category is in one of these letters, categories or ranges; an empty list contains all."""
    spans = (span.partition("-") for span in chapters)
    return not chapters or any(low <= category[: len(low)] and category[: len(high or low)] <= (high or low)
                               for low, _, high in spans)


def render_code_document(code: Icd10Code, context: ParentContext) -> str:
    """Return the descriptions of the parents that the context selects and of the code, joined by colons."""
    parents, words = code.parents, set(normalise_words(code.description).split())
    chosen = {
        "none": (),
        "parent": parents[-1:],
        "new-parent": tuple(parent for parent in parents[-1:] if not set(normalise_words(parent).split()) <= words),
        "category": parents[:1],
        "path": parents,
    }[context]
    return ": ".join((*chosen, code.description))
