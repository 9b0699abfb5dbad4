"""Keep rows of some languages, or of some scripts."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import Field

from factory.api import Curator, Decision, Fraction, RowsJob
from factory_curators.common import TEXT_COLUMNS_DESCRIPTION, filter_by_text, get_row_text

LANGUAGE_LIBRARY = "py3langid"
LANGUAGE_EXTRA = "pip install 'specialist-factory[language]'"


class Language(Curator):
    """Drops texts of other languages, by py3langid (the extra `language`), or of other scripts, which needs nothing.

    Where neither is named, the script of most rows stays. A short text says little about its language: one goes when
    another language is at least `sure`. Scripts are named as Unicode names its letters: latin, arabic, cyrillic, cjk.
    """

    kind = "language"
    share_metric = "other_language"

    languages: list[str] = Field([], description="languages that stay, such as en or ar, told by py3langid")
    scripts: list[str] = Field([], description="scripts that stay, such as latin or arabic, told by the letters")
    sure: Fraction = Field(0.9, description="probability of another language from which a text goes")
    on: list[str] = Field([], description=TEXT_COLUMNS_DESCRIPTION)

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    def compute_fingerprint(self) -> Any:
        """The library whose model tells languages."""
        try:
            return version(LANGUAGE_LIBRARY) if self.languages else None
        except PackageNotFoundError:
            return None

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        known = set(_load_language_identifier().nb_classes) if self.languages else set(self.languages)
        if strange := [name for name in self.languages if name not in known]:
            raise ValueError(
                f"{LANGUAGE_LIBRARY} knows no language {strange[0]!r}; it knows {', '.join(sorted(known))}"
            )
        by = f"{LANGUAGE_LIBRARY} {version(LANGUAGE_LIBRARY)}" if self.languages else "the script of their letters"
        job.report.note(f"language: texts are told apart by {by}")
        scripts = self.scripts or ([] if self.languages else _find_commonest_script(job, self.on))
        yield from filter_by_text(job, self.on, partial(self._find_foreign_text, scripts))

    def _find_foreign_text(self, scripts: Sequence[str], text: str) -> str:
        if scripts and (found := find_main_script(text)) and found not in scripts:
            return f"is written in {found}"
        if not self.languages or not any(map(str.isalpha, text)):
            return ""
        language, probability = _load_language_identifier().classify(text)
        return f"is in {language!r}" if language not in self.languages and probability >= self.sure else ""


@cache
def _load_language_identifier() -> Any:
    """The model of py3langid. Raises ImportError that names the extra."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise ImportError(f"languages are told by {LANGUAGE_LIBRARY}: {LANGUAGE_EXTRA}, or name scripts") from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _find_commonest_script(job: RowsJob, on: Sequence[str]) -> list[str]:
    """The script that most rows are written in, or none when no row has a letter."""
    counts = Counter(found for row in job.rows if (found := find_main_script(get_row_text(row, job, on))))
    return sorted(counts, key=lambda name: (-counts[name], name))[:1]


def find_main_script(text: str) -> str:
    """The script that most letters are of, in lower case; nothing when there is no letter."""
    counts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if letter.isalpha():
            counts[_name_letter_script(letter)] += count
    return min(counts, key=lambda name: (-counts[name], name)) if counts else ""


@cache
def _name_letter_script(letter: str) -> str:
    return unicodedata.name(letter, "unknown").partition(" ")[0].lower()
