"""Scrub personal data from rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import Field

from factory.api import Curator, Decision, Row, RowsJob
from factory_curators.pii_patterns import PiiMatch, find_personal_data

PiiType = Literal["mail", "phone", "iban", "card", "ip"]
PII_EXTRA = "pip install 'specialist-factory[pii]'"
PERSON_ENTITY_LABELS = ("PERSON", "PER")
"""How pipelines of spaCy call people, by the corpus that they learned from."""


class Pii(Curator):
    """Replaces mail addresses, phone numbers, IBANs, card numbers and IP addresses with `[MAIL]` and so on.

    What it finds has a form, and passes a check where there is one (IBAN: modulo 97; cards: Luhn). People's names have
    none: `names` takes the name of an installed spaCy pipeline (the extra `pii`), such as `en_core_web_sm`. Nothing
    here finds all; a data protection officer should look at samples.
    """

    kind = "pii"
    share_metric = "pii"

    types: list[PiiType] = Field(
        ["mail", "iban", "card", "ip", "phone"], min_length=1, description="what is looked for"
    )
    fields: list[str] = Field([], description="columns scrubbed, lists and mappings in them too; empty for all")
    names: str = Field("", description="a spaCy pipeline that finds people's names; empty to leave names alone")
    action: Literal["replace", "drop", "flag"] = Field("replace", description="what becomes of rows with personal data")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.fields)

    def compute_fingerprint(self) -> Any:
        """The pipeline that finds names, by its version."""
        try:
            return {name: version(name) for name in ("spacy", self.names)} if self.names else None
        except PackageNotFoundError:
            return None

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        people = _load_spacy_pipeline(self.names) if self.names else None
        for row in job.rows:
            counts: Counter[str] = Counter()
            chosen = self.fields or list(row.columns)
            if lacking := [name for name in chosen if name not in row.columns]:
                raise ValueError(f"rows have no column {lacking[0]!r}; there are {', '.join(row.columns)}")
            clean = {name: self._scrub_value(row.columns[name], people, counts) for name in chosen}
            yield self._decide_scrubbed_row(row, clean, counts) if counts else Decision(row.id, True)

    def _decide_scrubbed_row(self, row: Row, clean: dict[str, Any], counts: Counter[str]) -> Decision:
        why = f"personal data: {', '.join(sorted(counts))}"
        if self.action == "replace":
            return Decision(row.id, True, why, "", row.with_columns(**clean))
        return Decision(row.id, self.action == "flag", why, "", row.with_doubt(why) if self.action == "flag" else None)

    def _scrub_value(self, value: Any, people: Any, counts: Counter[str]) -> Any:
        """A value without its personal data; what was found is counted by type."""
        if isinstance(value, str):
            return self._scrub_text(value, people, counts)
        if isinstance(value, list | tuple):
            return [self._scrub_value(item, people, counts) for item in value]
        if isinstance(value, dict):
            return {name: self._scrub_value(item, people, counts) for name, item in value.items()}
        return value

    def _scrub_text(self, text: str, people: Any, counts: Counter[str]) -> str:
        found = list(find_personal_data(text, frozenset(self.types)))
        if people is not None:
            found = _add_person_names(text, found, people)
        for piece in reversed(found):
            text = f"{text[: piece.start]}[{piece.type.upper()}]{text[piece.end :]}"
            counts[piece.type] += 1
        return text


def _add_person_names(text: str, found: Sequence[PiiMatch], people: Any) -> list[PiiMatch]:
    named = [PiiMatch(e.start_char, e.end_char, "name") for e in people(text).ents if e.label_ in PERSON_ENTITY_LABELS]
    free = [name for name in named if all(name.end <= each.start or name.start >= each.end for each in found)]
    return sorted([*found, *free], key=lambda piece: piece.start)


@cache
def _load_spacy_pipeline(pipeline: str) -> Any:
    """A spaCy pipeline. Raises ImportError that names what to install."""
    try:
        import spacy
    except ImportError as error:
        raise ImportError(f"names are found by spaCy: {PII_EXTRA}") from error
    try:
        return spacy.load(pipeline)
    except OSError as error:
        raise ImportError(f"there is no spaCy pipeline {pipeline!r}: python -m spacy download {pipeline}") from error
