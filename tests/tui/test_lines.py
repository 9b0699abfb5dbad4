"""Columns stay where they are, whatever the text; and nothing that a terminal would obey gets through."""

import pytest
from rich.cells import cell_len

from factory.tui.grid import Column, Grid, drawn, layout, record
from factory.tui.lines import cut, fit, line, plain, safe, shorten, width, wrap

TEXTS = {
    "arabic": "ما هو تضيق الحالب؟", "family": "👩\u200d👩\u200d👧 at home", "flag": "🇫🇷 rouge", "skin": "👍🏽 fine",
    "heart": "❤\ufe0f love", "cjk": "東京タワーの高さ", "combining": "e\u0301cole", "bidi": "a\u202eb\u2066c",
    "control": "\x1b[31mred\x1b[0m\x07\x9b2J", "keycap": "1\ufe0f\u20e3 one", "tabs": "a\tb\r\nc",
    "private": "\ue000 icon", "joined": "لا\u200cبأس",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_shown_is_as_wide_as_its_letters(text: str) -> None:
    shown = safe(text)
    assert cell_len(shown) == sum(cell_len(letter) for letter in shown)
    assert not any(letter in shown for letter in "\x1b\x07\u202e\u2066\u200d\ufe0f\t\n\r")


def test_a_family_is_its_first_member_and_a_flag_its_letters() -> None:
    assert safe("👩\u200d👩\u200d👧 x") == "👩 x"
    assert safe("🇫🇷") == "FR"
    assert safe("👍🏽") == "👍"


@pytest.mark.parametrize("room", [1, 7, 12, 40])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_line_fits_its_room_exactly(text: str, room: int) -> None:
    one = line((safe(text), "good"), " ", (safe(text), "bad"))
    assert width(fit(one, room)) == room
    assert width(cut(one, room)) <= room
    assert all(width(part) <= room for part in wrap(one, room)) or room < 3


def test_wrapping_loses_no_word() -> None:
    one = line(("the tuned model ", ""), ("answers better than ", "good"), ("everything", "strong"))
    found = wrap(one, 14, 2)
    assert " ".join(plain(part).strip() for part in found) == "the tuned model answers better than everything"
    assert all(plain(part).startswith("  ") for part in found[1:])


def test_what_is_cut_says_so() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("東京タワー", 6) == "東京…"
    assert plain(cut(line("abc", "def"), 5)) == "abcd…"


def grid() -> Grid:
    columns = (Column("name", least=8), Column("value", right=True, least=5), Column("note", rank=1, least=10))
    return Grid(columns, tuple(record(key, safe(text), "0.5", safe(text)) for key, text in TEXTS.items()))


@pytest.mark.parametrize("room", [15, 30, 60, 120])
def test_rows_of_a_table_are_equally_wide(room: int) -> None:
    made = drawn(grid(), room)
    assert len({width(one) for one in made}) == 1
    assert width(made[0]) <= room


def test_columns_go_by_rank_when_room_is_short() -> None:
    assert [place for place, _ in layout(grid(), 120).places] == [0, 1, 2]
    assert [place for place, _ in layout(grid(), 20).places] == [0, 1]


def test_a_table_filters_sorts_and_exports() -> None:
    columns = (Column("name"), Column("gain", right=True))
    made = Grid(columns, tuple(record(n, n, f"{v}", values=(n, v)) for n, v in (("b", 2), ("a", None), ("c", 10))))
    assert [r.key for r in made.ordered(1, True).records] == ["c", "b", "a"]
    assert [r.key for r in made.filtered("B").records] == ["b"]
    assert made.csv().splitlines() == ["name,gain", "b,2", "a,", "c,10"]
