"""ICD-10-CM as a retrieval dataset: inclusion terms (clinicians' phrases) and the codes that they belong to."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from factory.api import Job, Provenance, Row, Source, normalise
from factory_sources.icd10_tabular import Icd10Code, read_tabular

ICD10_PACKAGE = "simple-icd-10-cm"
ICD10_LICENCE = "US public domain (CDC NCHS tabular list), packaged under MIT"
CodeSpan = Annotated[str, Field(pattern=r"^([A-Z]|[A-Z][0-9][0-9A-Z])(-([A-Z]|[A-Z][0-9][0-9A-Z]))?$")]
ParentContext = Literal["none", "parent", "new-parent", "category", "path"]


@dataclass(frozen=True, slots=True)
class InclusionTerm:
    """A clinician's phrase for a code: the `number`-th of that code, and its line in the tabular list."""

    code: Icd10Code
    number: int
    text: str
    line: int


class Icd10(Source):
    """Reads the ICD-10-CM tabular list of simple-icd-10-cm: inclusion terms are queries, codes are documents."""

    kind = "icd10"
    output_columns = ("query", "relevant")
    tables = ("documents",)

    chapters: list[CodeSpan] = Field([], description="letters, categories or ranges: E, A-B, H60-H95; empty for all")
    context: ParentContext = Field("parent", description="parents whose descriptions precede that of the code")
    trivial: Literal["skip", "keep"] = Field("skip", description="whether to skip terms that repeat a description")

    def compute_fingerprint(self) -> str:
        """Return the version of the ICD-10 package. Raises ModuleNotFoundError if it is not installed."""
        return find_icd10_package().version

    def iter_rows(self, job: Job) -> Iterator[Row]:
        path = find_tabular_list()
        codes = [code for code in read_tabular(path) if is_in_chapters(self.chapters, code.category)]
        if not codes:
            raise ValueError(f"{path.name}: no code in the chapters {', '.join(self.chapters)}")
        origin = f"{ICD10_PACKAGE} {find_icd10_package().version}: {path.name}"
        for code in codes:
            columns = {"text": render_code_document(code, self.context)}
            yield Row(
                code.name, columns, Provenance(origin, code.line, ICD10_LICENCE), code.category, table="documents"
            )
        for term in self._iterate_unambiguous_terms(codes, job):
            yield Row(
                f"{term.code.name}#{term.number}",
                {"query": term.text, "relevant": {term.code.name: 1}},
                Provenance(origin, term.line, ICD10_LICENCE),
                group=term.code.category,
            )

    def _iterate_unambiguous_terms(self, codes: list[Icd10Code], job: Job) -> Iterator[InclusionTerm]:
        """Yield the terms that belong to a single code; note the number of others."""
        meanings: defaultdict[str, set[str]] = defaultdict(set)
        for code in codes:
            for text, _ in code.phrases:
                meanings[normalise(text)].add(code.name)
        descriptions = {normalise(code.description) for code in codes}
        skipped: Counter[str] = Counter()
        for code in codes:
            for number, (text, line) in enumerate(code.phrases, 1):
                same = normalise(text)
                if len(meanings[same]) > 1:
                    skipped["belong to several codes"] += 1
                elif same in descriptions and self.trivial == "skip":
                    skipped["repeat a description"] += 1
                else:
                    yield InclusionTerm(code, number, text, line)
        for why, count in sorted(skipped.items()):
            job.report.note(f"skipped {count} inclusion terms that {why}")


def is_in_chapters(chapters: Sequence[str], category: str) -> bool:
    """Return whether a category is in one of these letters, categories or ranges; an empty list contains all."""
    spans = (span.partition("-") for span in chapters)
    return not chapters or any(low <= category[: len(low)] and category[: len(high or low)] <= (high or low)
                               for low, _, high in spans)


def render_code_document(code: Icd10Code, context: ParentContext) -> str:
    """Return the descriptions of the parents that the context selects and of the code, joined by colons."""
    parents, words = code.parents, _split_normalised_words(code.description)
    chosen = {
        "none": (),
        "parent": parents[-1:],
        "new-parent": tuple(parent for parent in parents[-1:] if not _split_normalised_words(parent) <= words),
        "category": parents[:1],
        "path": parents,
    }[context]
    return ": ".join((*chosen, code.description))


def find_tabular_list() -> Path:
    """Return the newest tabular list of the installed package. Raises ModuleNotFoundError if there is none."""
    files = [file for file in find_icd10_package().files or () if re.search(r"icd10c-tabular.*\.xml$", file.name)]
    if not files:
        raise ModuleNotFoundError(
            f"{ICD10_PACKAGE} {find_icd10_package().version} has no tabular list: pip install -U {ICD10_PACKAGE}"
        )
    return Path(str(max(files, key=lambda file: file.name).locate()))


def find_icd10_package() -> metadata.Distribution:
    """Return the installed ICD-10 package. Raises ModuleNotFoundError that says how to install it."""
    try:
        return metadata.distribution(ICD10_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ModuleNotFoundError(
            f"{ICD10_PACKAGE} is not installed: pip install {ICD10_PACKAGE}"
        ) from error


def _split_normalised_words(text: str) -> frozenset[str]:
    return frozenset(normalise(text).split())
