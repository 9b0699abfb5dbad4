"""Characters that show nothing make no text another one: tokenizers drop them, so copies that have them are copies."""

import unicodedata

import pytest
from curator_parts import decided, rows_of

from factory.api import Provenance, Row, is_blank, normalise, normalise_words, remove_invisible
from factory.data.leakage import LeakageCriteria, find_leaks
from factory.data.split import get_row_group, list_row_groups, split_rows
from factory.spec.fields import Split
from factory_curators.conflicts import Conflicts
from factory_curators.empty_rows import EmptyRows
from factory_curators.exact_duplicates import ExactDuplicates
from factory_curators.near_duplicate_rows import NearDuplicates

HIDDEN = [
    "\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u202e", "\ufe0f", "\u034f", "\u3164", "\U000e0041",
    "\x08",
]


def hide(text: str, character: str) -> str:
    """The text with a character in the middle of every word."""
    return " ".join(f"{word[:2]}{character}{word[2:]}" for word in text.split())


def test_every_format_character_counts_for_nothing() -> None:
    formats = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"]
    assert len(formats) > 150 and remove_invisible("a" + "".join(formats) + "b") == "ab"
    assert all(normalise(f"bill{one}ing 5") == normalise_words(f"bill{one}ing 5") == "billing 5" for one in formats)
    assert remove_invisible("naïve\tقهوة\nC++ 5 % 👍") == "naïve\tقهوة\nC++ 5 % 👍"


@pytest.mark.parametrize("character", HIDDEN)
def test_a_copy_with_hidden_characters_is_a_copy(character: str) -> None:
    text = "the parcel never arrived at my new address"
    one, other = rows_of(text, hide(text, character), label=["late", "late"])
    assert decided(ExactDuplicates(text_columns=("text", "label")), [one, other])["r1"].twin == "r0"
    assert decided(NearDuplicates(text_columns=("text",)), [one, other])["r1"].twin == "r0"
    (leak,) = find_leaks([one], [other], LeakageCriteria(("text",), 0.8))
    assert (leak.match_type, leak.frozen_row) in (("group", "r1"), ("exact", "r1"))
    assert get_row_group(one, "text") == get_row_group(other, "text")
    assert list_row_groups([one, other], "text") == ["r0", "r0"]
    contrary = rows_of(text, hide(text, character), label=["late", "lost"])
    assert not any(each.kept for each in decided(Conflicts(), contrary).values())


@pytest.mark.parametrize("character", HIDDEN)
def test_hidden_copies_never_straddle_the_split(character: str) -> None:
    texts = [f"question number {n} of the list" for n in range(40)]
    both = [*texts, *(hide(text, character) for text in texts)]
    rows = [Row(f"r{n}", {"text": text}, Provenance("s", n)) for n, text in enumerate(both)]
    parts = split_rows(rows, Split(test=20, validation=10), "text")
    twins = [{place % 40 for place in places} for places in parts.values()]
    assert sum(map(len, twins)) == 40 and sorted(map(len, parts.values())) == [10, 20, 50]


def test_a_text_of_nothing_but_hidden_characters_is_empty() -> None:
    assert is_blank(" \u200b\ufeff\t") and not is_blank(" \u200b.")
    said = decided(EmptyRows(), rows_of("\u200b\u00ad", "\u3164 ", "fine"))
    assert [each.kept for each in said.values()] == [False, False, True]
