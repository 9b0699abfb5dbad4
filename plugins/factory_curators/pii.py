"""Remove personal data from rows."""

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
"""Entity labels of people in spaCy pipelines, which differ by training corpus."""


class Pii(Curator):
    """Replaces mail addresses, phone numbers, IBANs, card numbers and IP addresses with `[MAIL]` and so on.

    Matches of a pattern must pass its checksum where there is one (IBAN: modulo 97; cards: Luhn). People's names need
    `spacy_model`, an installed spaCy pipeline (the extra `pii`) such as `en_core_web_sm`. No method finds everything:
    have a data protection officer inspect samples.
    """

    kind = "pii"
    share_metric = "pii"

    types: list[PiiType] = Field(
        ["mail", "iban", "card", "ip", "phone"], min_length=1, description="types of personal data to look for"
    )
    columns: tuple[str, ...] = Field(  # type: ignore[misc]  # chosen by the spec
        (), description="columns to scrub, including lists and mappings in them; empty for all"
    )
    spacy_model: str = Field("", description="spaCy pipeline that finds people's names; empty to keep names")
    action: Literal["replace", "drop", "flag"] = Field("replace", description="what to do with rows with personal data")

    def compute_fingerprint(self) -> Any:
        """Return the versions of spaCy and the pipeline that finds names."""
        try:
            return {name: version(name) for name in ("spacy", self.spacy_model)} if self.spacy_model else None
        except PackageNotFoundError:
            return None

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        nlp = _load_spacy_pipeline(self.spacy_model) if self.spacy_model else None
        for row in job.rows:
            counts: Counter[str] = Counter()
            columns = self.columns or tuple(row.columns)
            if missing := [name for name in columns if name not in row.columns]:
                raise ValueError(f"rows have no column {missing[0]!r}; they have {', '.join(row.columns)}")
            scrubbed = {name: self._scrub_value(row.columns[name], nlp, counts) for name in columns}
            yield self._decide_scrubbed_row(row, scrubbed, counts) if counts else Decision(row.id, True)

    def _decide_scrubbed_row(self, row: Row, scrubbed: dict[str, Any], counts: Counter[str]) -> Decision:
        why = f"personal data: {', '.join(sorted(counts))}"
        if self.action == "replace":
            return Decision(row.id, True, why, "", row.with_columns(**scrubbed))
        return Decision(row.id, self.action == "flag", why, "", row.with_doubt(why) if self.action == "flag" else None)

    def _scrub_value(self, value: Any, nlp: Any, counts: Counter[str]) -> Any:
        """Return a value with its personal data replaced; count the matches by type."""
        if isinstance(value, str):
            return self._scrub_text(value, nlp, counts)
        if isinstance(value, list | tuple):
            return [self._scrub_value(item, nlp, counts) for item in value]
        if isinstance(value, dict):
            return {name: self._scrub_value(item, nlp, counts) for name, item in value.items()}
        return value

    def _scrub_text(self, text: str, nlp: Any, counts: Counter[str]) -> str:
        matches = list(find_personal_data(text, frozenset(self.types)))
        if nlp is not None:
            matches = _add_person_names(text, matches, nlp)
        # From the end on, so that the offsets of earlier matches stay valid.
        for match in reversed(matches):
            text = f"{text[: match.start]}[{match.type.upper()}]{text[match.end :]}"
            counts[match.type] += 1
        return text


def _add_person_names(text: str, matches: Sequence[PiiMatch], nlp: Any) -> list[PiiMatch]:
    people = [entity for entity in nlp(text).ents if entity.label_ in PERSON_ENTITY_LABELS]
    names = [PiiMatch(person.start_char, person.end_char, "name") for person in people]
    free = [name for name in names if all(name.end <= match.start or name.start >= match.end for match in matches)]
    return sorted([*matches, *free], key=lambda match: match.start)


@cache
def _load_spacy_pipeline(pipeline: str) -> Any:
    """Load a spaCy pipeline. Raises ImportError that names what to install."""
    try:
        import spacy
    except ImportError as error:
        raise ImportError(f"`spacy_model` needs spaCy: {PII_EXTRA}") from error
    try:
        return spacy.load(pipeline)
    except OSError as error:
        remedy = f"python -m spacy download {pipeline}"
        raise ImportError(f"the spaCy pipeline {pipeline!r} is not installed: {remedy}") from error
