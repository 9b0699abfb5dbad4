"""Keep rows in some languages or scripts."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import Field

from factory.api import Decision, Fraction, RowsJob
from factory_curators.common import TextCurator, filter_by_text, get_row_text

LANGUAGE_LIBRARY = "py3langid"


class Language(TextCurator):
    """Drops texts in other languages (detected by py3langid, the extra `language`) or in other scripts.

    Without `languages` and `scripts`, the most frequent script stays. Detection is unreliable on short texts: a text is
    dropped only if another language has at least `min_confidence`. Scripts are named as in Unicode: latin, arabic, cjk.
    """

    kind = "language"
    share_metric = "other_language"

    languages: list[str] = Field([], description="languages to keep, such as en or ar, detected by py3langid")
    scripts: list[str] = Field([], description="scripts to keep, such as latin or arabic")
    min_confidence: Fraction = Field(0.9, description="probability of another language from which a text is dropped")

    def list_required_modules(self) -> Mapping[str, str]:
        return {"py3langid": "specialist-factory[language]"} if self.languages else {}

    def compute_fingerprint(self) -> Any:
        """Return the version of the library, whose model detects languages."""
        try:
            return version(LANGUAGE_LIBRARY) if self.languages else None
        except PackageNotFoundError:
            return None

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        detector, scripts = "script", self.scripts
        if self.languages:
            known = sorted(_load_language_identifier().nb_classes)
            if unknown := [name for name in self.languages if name not in known]:
                raise ValueError(f"{LANGUAGE_LIBRARY} does not support {unknown[0]!r}; it supports {', '.join(known)}")
            detector = f"{LANGUAGE_LIBRARY} {version(LANGUAGE_LIBRARY)}"
        elif not scripts:
            scripts_of_rows = (find_main_script(get_row_text(row, job, self.text_columns)) for row in job.rows)
            scripts = [_get_most_frequent(Counter(filter(None, scripts_of_rows)))]
        job.report.note(f"language: detected by {detector}")
        yield from filter_by_text(job, self.text_columns, partial(self._find_foreign_text, scripts))

    def _find_foreign_text(self, scripts: Sequence[str], text: str) -> str:
        if scripts and (script := find_main_script(text)) and script not in scripts:
            return f"is in {script} script"
        if not self.languages or not any(map(str.isalpha, text)):
            return ""
        language, probability = _load_language_identifier().classify(text)
        is_foreign = language not in self.languages and probability >= self.min_confidence
        return f"is in language {language!r}" if is_foreign else ""


@cache
def _load_language_identifier() -> Any:
    """Load the model of py3langid. Raises ImportError that names the extra."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        why = f"`languages` needs {LANGUAGE_LIBRARY}: pip install 'specialist-factory[language]'; or use `scripts`"
        raise ImportError(why) from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def find_main_script(text: str) -> str:
    """Return the script of most letters, in lower case; an empty text if there is no letter."""
    counts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if letter.isalpha():
            counts[_name_letter_script(letter)] += count
    return _get_most_frequent(counts)


def _get_most_frequent(counts: Counter[str]) -> str:
    return min(counts, key=lambda name: (-counts[name], name), default="")


@cache
def _name_letter_script(letter: str) -> str:
    return unicodedata.name(letter, "unknown").partition(" ")[0].lower()
