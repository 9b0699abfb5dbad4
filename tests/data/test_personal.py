"""Personal data: found by its form and its check digits, replaced by its type; look-alikes stay."""

import sys
from pathlib import Path

import pytest
from curator_parts import decided, rows_of

from factory.api import Curator
from factory_curators import pii
from factory_curators.pii import Pii


def scrubbed(text: str, curator: Curator | None = None) -> str:
    (said,) = decided(curator or Pii(), rows_of(text)).values()
    return str(said.row["text"]) if said.row else text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("write to jane.doe+x@mail.example.co.uk.", "write to [MAIL]."),
        ("call +44 20 7946 0958 or (020) 7946 0958", "call [PHONE] or [PHONE]"),
        ("0171-555 1234, 07700900123; 415-555-2671", "[PHONE], [PHONE]; [PHONE]"),
        ("to DE89 3704 0044 0532 0130 00 or GB82WEST12345698765432", "to [IBAN] or [IBAN]"),
        ("card 4111 1111 1111 1111, amex 378282246310005", "card [CARD], amex [CARD]"),
        ("from 192.168.0.12 and fe80::1ff:fe23:4567:890a", "from [IP] and [IP]"),
    ],
)
def test_what_has_a_form_is_replaced_by_its_type(text: str, clean: str) -> None:
    assert scrubbed(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "DE88 3704 0044 0532 0130 00", "card 4111 1111 1111 1112", "2024-01-31 and 31.12.2023, 1939 - 1945",
        "1,234,567.89",
        "between 100 200 300 people", "12:30:45 and 12.30 - 14.45", "ratio 0.9235687435, 751-1000", "std::vector a::b",
        "code N13.5, 1234567 rows", "a@b", "127.0.0.1 and 1.2.3.4.5", "ISBN 978-3-16-148410-0",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert scrubbed(text) == text


def test_lists_and_mappings_are_scrubbed_too_and_numbers_left_alone() -> None:
    (row,) = rows_of("hi", turns=[[{"from": "a@b.org", "age": 4}, "call 07700900123"]])
    said = decided(Pii(), [row])["r0"]
    assert said.kept and said.why == "personal data: mail, phone"
    assert said.row and said.row.columns == {"text": "hi", "turns": [{"from": "[MAIL]", "age": 4}, "call [PHONE]"]}
    assert decided(Pii(text_columns=("text",)), [row])["r0"].row is None


def test_rows_may_be_dropped_or_flagged_instead() -> None:
    rows = rows_of("a@b.org", "nothing")
    assert [one.kept for one in decided(Pii(action="drop"), rows).values()] == [False, True]
    flagged = decided(Pii(action="flag", types=["mail"]), rows)["r0"].row
    assert flagged and flagged["text"] == "a@b.org" and flagged.provenance.detail["doubt"] == "personal data: mail"


def test_names_are_found_by_a_pipeline_of_spacy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spacy = pytest.importorskip("spacy")
    pipeline = spacy.blank("en")
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Jane Doe"}])
    pipeline.to_disk(tmp_path / "names")
    said = scrubbed("Jane Doe, jane@doe.org, asks Jane", Pii(spacy_model=str(tmp_path / "names")))
    assert said == "[NAME], [MAIL], asks Jane"
    with pytest.raises(ImportError, match="spacy download en_core_none"):
        scrubbed("x", Pii(spacy_model="en_core_none"))
    pii._load_spacy_pipeline.cache_clear()
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(ImportError, match=r"specialist-factory\[pii\]"):
        scrubbed("x", Pii(spacy_model="en_core_web_sm"))
