"""ICD-10-CM as a classification dataset: inclusion terms, and the chapter that each belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from factory.api import Job, Provenance, Row, normalise_words
from factory_sources.icd10 import ICD10_LICENCE, Icd10Source

CHAPTER_SHORT_NAMES = (
    ("infectious", "infections"), ("neoplasms", "neoplasms"), ("blood", "blood"), ("endocrine", "endocrine"),
    ("mental", "mental"), ("nervous system", "nervous system"), ("eye", "eye"), ("ear", "ear"),
    ("circulatory", "circulation"), ("respiratory", "respiration"), ("digestive", "digestion"), ("skin", "skin"),
    ("musculoskeletal", "musculoskeletal"), ("genitourinary", "genitourinary"), ("pregnancy", "pregnancy"),
    ("perinatal", "newborn"), ("congenital", "congenital"), ("symptoms", "symptoms"), ("injury", "injury"),
    ("external causes", "external cause"), ("health services", "health services"), ("special", "special"),
)
"""(words of an official title, short name). The first match counts: injury precedes external causes of injury."""


class Icd10Chapters(Icd10Source):
    """Reads the inclusion terms of ICD-10-CM as texts, and their chapters as labels.

    Rows of one three-character category are a group, so that the categories of the test rows are unseen in training.
    """

    kind = "icd10-chapters"
    inspected_rows = 0
    output_columns = ("text", "label")

    names: Literal["short", "official"] = Field("short", description="labels: a short name such as eye, or the title")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        origin, codes = self.read_codes()
        chapters: defaultdict[str, set[str]] = defaultdict(set)
        for code in codes:
            for text, _ in code.phrases:
                chapters[normalise_words(text)].add(code.chapter)
        skipped = 0
        for code in codes:
            for number, (text, line) in enumerate(code.phrases, 1):
                if len(chapters[normalise_words(text)]) > 1:
                    skipped += 1
                    continue
                label = code.chapter if self.names == "official" else shorten_chapter_title(code.chapter)
                provenance = Provenance(origin, line, ICD10_LICENCE)
                yield Row(f"{code.name}#{number}", {"text": text, "label": label}, provenance, group=code.category)
        if skipped:
            job.report.note(f"inclusion terms that belong to several chapters: skipped {skipped}")


def shorten_chapter_title(title: str) -> str:
    """Return the short name of a chapter, or its title if it has none."""
    normalised = f" {normalise_words(title)} "
    return next((name for words, name in CHAPTER_SHORT_NAMES if f" {words} " in normalised), title)
