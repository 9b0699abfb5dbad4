"""Keep rows of some languages, or of some scripts."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import Field

from factory.api import Curator, Decision, RowsJob, Fraction
from factory_curators.parts import ON, filtered, text_of

LIBRARY = "py3langid"
EXTRA = "pip install 'specialist-factory[language]'"


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
    on: list[str] = Field([], description=ON)

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    def compute_fingerprint(self) -> Any:
        """The library whose model tells languages."""
        try:
            return version(LIBRARY) if self.languages else None
        except PackageNotFoundError:
            return None

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        known = set(_identifier().nb_classes) if self.languages else set(self.languages)
        if strange := [name for name in self.languages if name not in known]:
            raise ValueError(f"{LIBRARY} knows no language {strange[0]!r}; it knows {', '.join(sorted(known))}")
        by = f"{LIBRARY} {version(LIBRARY)}" if self.languages else "the script of their letters"
        job.report.note(f"language: texts are told apart by {by}")
        scripts = self.scripts or ([] if self.languages else _commonest(job, self.on))
        yield from filtered(job, self.on, partial(self._objection, scripts))

    def _objection(self, scripts: Sequence[str], text: str) -> str:
        if scripts and (found := script(text)) and found not in scripts:
            return f"is written in {found}"
        if not self.languages or not any(map(str.isalpha, text)):
            return ""
        language, probability = _identifier().classify(text)
        return f"is in {language!r}" if language not in self.languages and probability >= self.sure else ""


@cache
def _identifier() -> Any:
    """The model of py3langid. Raises ImportError that names the extra."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise ImportError(f"languages are told by {LIBRARY}: {EXTRA}, or name scripts") from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _commonest(job: RowsJob, on: Sequence[str]) -> list[str]:
    """The script that most rows are written in, or none when no row has a letter."""
    counts = Counter(found for row in job.rows if (found := script(text_of(row, job, on))))
    return sorted(counts, key=lambda name: (-counts[name], name))[:1]


def script(text: str) -> str:
    """The script that most letters are of, in lower case; nothing when there is no letter."""
    counts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if letter.isalpha():
            counts[_script(letter)] += count
    return min(counts, key=lambda name: (-counts[name], name)) if counts else ""


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "unknown").partition(" ")[0].lower()
