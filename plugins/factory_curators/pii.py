"""Remove personal data from rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import Field

from factory.api import Decision, RowsJob
from factory_curators.common import TextCurator, build_objection
from factory_curators.pii_patterns import PiiMatch, find_personal_data

PiiType = Literal["mail", "phone", "iban", "card", "ip"]
PERSON_ENTITY_LABELS = ("PERSON", "PER")
"""Entity labels of people in spaCy pipelines, which differ by training corpus."""


class Pii(TextCurator):
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
    text_columns: tuple[str, ...] = Field(
        (), description="columns to scrub, including texts in lists and mappings; empty for all"
    )
    spacy_model: str = Field("", description="spaCy pipeline that finds people's names; empty to keep names")
    action: Literal["replace", "drop", "flag"] = Field("replace", description="what to do with rows with personal data")

    def list_required_modules(self) -> Mapping[str, str]:
        return {"spacy": "specialist-factory[pii]"} if self.spacy_model else {}

    def compute_fingerprint(self) -> Any:
        """Return the versions of spaCy and the pipeline that finds names."""
        try:
            return {name: version(name) for name in ("spacy", self.spacy_model)} if self.spacy_model else None
        except PackageNotFoundError:
            return None

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        nlp = _load_spacy_pipeline(self.spacy_model) if self.spacy_model else None
        for row in job.rows:
            types: set[str] = set()
            names = self.text_columns or tuple(row.columns)
            if missing := [name for name in names if name not in row.columns]:
                raise ValueError(f"rows have no column {missing[0]!r}; they have {', '.join(row.columns)}")
            scrubbed = {name: self._scrub_value(row.columns[name], nlp, types) for name in names}
            why = f"personal data: {', '.join(sorted(types))}"
            if not types:
                yield Decision(row.id, True)
            elif self.action == "replace":
                yield Decision(row.id, True, why, "", row.with_columns(**scrubbed))
            else:
                yield build_objection(row, why, self.action)

    def _scrub_value(self, value: Any, nlp: Any, types: set[str]) -> Any:
        """Return a value with its personal data replaced; add the types of the matches to `types`."""
        if isinstance(value, str):
            return self._scrub_text(value, nlp, types)
        if isinstance(value, list | tuple):
            return [self._scrub_value(item, nlp, types) for item in value]
        if isinstance(value, dict):
            return {name: self._scrub_value(item, nlp, types) for name, item in value.items()}
        return value

    def _scrub_text(self, text: str, nlp: Any, types: set[str]) -> str:
        matches = list(find_personal_data(text, frozenset(self.types)))
        entities = nlp(text).ents if nlp is not None else ()
        people = (entity for entity in entities if entity.label_ in PERSON_ENTITY_LABELS)
        names = [PiiMatch(person.start_char, person.end_char, "name") for person in people]
        matches += [name for name in names if not any(map(name.overlaps, matches))]
        # From the end on, so that the offsets of earlier matches stay valid.
        for match in sorted(matches, key=lambda match: match.start, reverse=True):
            text = f"{text[: match.start]}[{match.type.upper()}]{text[match.end :]}"
            types.add(match.type)
        return text


@cache
def _load_spacy_pipeline(pipeline: str) -> Any:
    """Load a spaCy pipeline. Raises ImportError that names what to install."""
    try:
        import spacy
    except ImportError as error:
        raise ImportError("`spacy_model` needs spaCy: pip install 'specialist-factory[pii]'") from error
    try:
        return spacy.load(pipeline)
    except OSError as error:
        why = f"the spaCy pipeline {pipeline!r} is not installed: python -m spacy download {pipeline}"
        raise ImportError(why) from error
