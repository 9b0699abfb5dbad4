"""Filters: rows that say too little, break off, repeat themselves, or hold what no writer meant."""

import random
import sys

import pytest
from curator_parts import decided, dropped, rows_of
from pydantic import ValidationError
from tiny_parts import Voice

from factory_curators.characters import Characters
from factory_curators.empty_rows import EmptyRows
from factory_curators.language import Language
from factory_curators.length import LengthFilter
from factory_curators.repetition import Repetition
from factory_curators.truncated_texts import TruncatedTexts

SENTENCES = [f"The card number {number} has not come yet." for number in range(80)]


def test_length_is_counted_as_told() -> None:
    assert dropped(LengthFilter(min=2), "one", "two words", "") == ["one", ""]
    assert dropped(LengthFilter(unit="characters", min=3, max=5), "ab", "abcd", "abcdef") == ["ab", "abcdef"]
    with pytest.raises(ValidationError, match="no row would stay"):
        LengthFilter(min=9, max=3)


def test_tokens_are_those_of_the_base(tmp_path) -> None:
    from dataclasses import replace

    import tiny_parts
    from curator_parts import asked

    tiny_parts.base(tmp_path)
    job = asked(rows_of("kidney", "kidney stone of left ureter"))
    job = replace(job, base=replace(job.base, folder=tmp_path / "model"))
    found = list(LengthFilter(unit="tokens", max=3).curate(job))
    assert [(one.id, one.why) for one in found if not one.kept] == [("r1", "tokens: more than 3")]


def test_what_says_nothing_goes_whatever_column_it_stands_in() -> None:
    assert dropped(EmptyRows(), "a", "  ", "?!", "N/A", "+", "😀") == ["  ", "?!", "N/A"]
    rows = rows_of("fine", "fine", label=("good", "null"))
    assert decided(EmptyRows(), rows)["r1"].why == "label is empty"
    assert decided(EmptyRows(placeholders=False), rows)["r1"].kept


def test_texts_that_break_off_are_told_from_those_that_never_end() -> None:
    cut = ["My card was stolen,", "I want to speak to the", "The card number 7 has not come y"]
    assert dropped(TruncatedTexts(), *SENTENCES, *cut) == cut
    queries = ["track my card", "lost card", "what is a pin", "where can I use it", "card fees", "card"]
    assert dropped(TruncatedTexts(), *queries) == []
    pieces = ["where is my subscription card"] * 3 + ["please cancel my subscr"]
    assert dropped(TruncatedTexts(), *pieces) == ["please cancel my subscr"]
    flagged = decided(TruncatedTexts(action="flag"), rows_of(*SENTENCES, *cut))["r81"]
    assert flagged.kept and flagged.row and flagged.row.provenance.detail["doubt"] == "ends with 'the'"


def test_characters_that_nobody_typed() -> None:
    bad = ["caf� au lait", "bell\x07", "cafÃ© au lait", "-------- ***", "\ue602 \ue602"]
    good = ["café au lait", "كسر في الساق", "tab\tand\nline", "😀 fine", "(a + b) * 2"]
    assert dropped(Characters(), *bad, *good) == bad


def test_repetition_by_the_limits_of_gopher() -> None:
    draw = random.Random(2)
    fresh = " ".join(f"w{draw.randrange(10**6)}" for _ in range(80))
    again = " ".join(["call us now to win a prize"] * 12)
    phrase = " ".join(f"{word} buy one get one free today" for word in fresh.split()[:12])
    assert dropped(Repetition(), fresh, again, phrase, "no no no no", "same line\nsame line\nsame line") == [
        again, phrase, "same line\nsame line\nsame line",
    ]
    assert dropped(Repetition(limit_scale=5), phrase) == []


def test_scripts_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid", None)
    voice = Voice()
    rows = rows_of("where is my card", "أين بطاقتي", "12:30")
    found = decided(Language(scripts=["latin"]), rows, voice)
    assert [one.why for one in found.values() if not one.kept] == ["is in arabic script"]
    assert dropped(Language(), "أين بطاقتي", "where is my card", "lost it", "7") == ["أين بطاقتي"]
    assert voice.notes == ["language: detected by script"]


def test_languages_are_told_by_the_library_or_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from factory_curators import language

    pytest.importorskip("py3langid")
    texts = ("I would like to know where my card is", "Ich möchte gern wissen, wo meine Karte bleibt", "ok")
    assert dropped(Language(languages=["en"]), *texts) == [texts[1]]
    with pytest.raises(ValueError, match="does not support 'english'"):
        dropped(Language(languages=["english"]), *texts)
    language._load_language_identifier.cache_clear()
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(ImportError, match=r"specialist-factory\[language\]"):
        dropped(Language(languages=["en"]), *texts)
