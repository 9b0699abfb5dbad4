"""Columns stay where they are, whatever the text; and nothing that a terminal would obey gets through."""

import pytest
from rich.cells import cell_len

from factory.tui.rich_text import (
    make_line,
    measure_width,
    pad_line,
    sanitise,
    to_plain_text,
    truncate,
    truncate_line,
    wrap_line,
)
from factory.tui.table import lay_out_table, render_table
from factory.views.elements import Column, Table, make_row

TEXTS = {
    "arabic": "ما هو تضيق الحالب؟",
    "family": "👩\u200d👩\u200d👧 at home",
    "flag": "🇫🇷 rouge",
    "skin": "👍🏽 fine",
    "heart": "❤\ufe0f love",
    "cjk": "東京タワーの高さ",
    "combining": "e\u0301cole",
    "bidi": "a\u202eb\u2066c",
    "control": "\x1b[31mred\x1b[0m\x07\x9b2J",
    "keycap": "1\ufe0f\u20e3 one",
    "tabs": "a\tb\r\nc",
    "private": "\ue000 icon",
    "joined": "لا\u200cبأس",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_shown_is_as_wide_as_its_letters(text: str) -> None:
    shown = sanitise(text)
    assert cell_len(shown) == sum(cell_len(letter) for letter in shown)
    assert not any(letter in shown for letter in "\x1b\x07\u202e\u2066\u200d\ufe0f\t\n\r")


def test_a_family_is_its_first_member_and_a_flag_its_letters() -> None:
    assert sanitise("👩\u200d👩\u200d👧 x") == "👩 x"
    assert sanitise("🇫🇷") == "FR"
    assert sanitise("👍🏽") == "👍"


@pytest.mark.parametrize("room", [1, 7, 12, 40])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_line_fits_its_room_exactly(text: str, room: int) -> None:
    one = make_line((sanitise(text), "good"), " ", (sanitise(text), "bad"))
    assert measure_width(pad_line(one, room)) == room
    assert measure_width(truncate_line(one, room)) <= room
    assert all(measure_width(part) <= room for part in wrap_line(one, room)) or room < 3


def test_wrapping_loses_no_word() -> None:
    one = make_line(("the tuned model ", ""), ("answers better than ", "good"), ("everything", "strong"))
    found = wrap_line(one, 14, 2)
    assert " ".join(to_plain_text(part).strip() for part in found) == "the tuned model answers better than everything"
    assert all(to_plain_text(part).startswith("  ") for part in found[1:])


def test_what_is_cut_says_so() -> None:
    assert truncate("abcdef", 4) == "abc…"
    assert truncate("東京タワー", 6) == "東京…"
    assert to_plain_text(truncate_line(make_line("abc", "def"), 5)) == "abcd…"


def grid() -> Table:
    columns = (
        Column("name", min_width=8),
        Column("value", align_right=True, min_width=5),
        Column("note", drop_rank=1, min_width=10),
    )
    return Table(columns, tuple(make_row(key, sanitise(text), "0.5", sanitise(text)) for key, text in TEXTS.items()))


@pytest.mark.parametrize("room", [15, 30, 60, 120])
def test_rows_of_a_table_are_equally_wide(room: int) -> None:
    made = render_table(grid(), room)
    assert len({measure_width(one) for one in made}) == 1
    assert measure_width(made[0]) <= room


def test_columns_go_by_rank_when_room_is_short() -> None:
    assert [place for place, _ in lay_out_table(grid(), 120)] == [0, 1, 2]
    assert [place for place, _ in lay_out_table(grid(), 20)] == [0, 1]


def test_a_table_filters_sorts_and_exports() -> None:
    columns = (Column("name"), Column("gain", align_right=True))
    made = Table(columns, tuple(make_row(n, n, f"{v}", values=(n, v)) for n, v in (("b", 2), ("a", None), ("c", 10))))
    assert [r.key for r in made.sort(1, True).rows] == ["c", "b", "a"]
    assert [r.key for r in made.filter("B").rows] == ["b"]
    assert made.to_csv().splitlines() == ["name,gain", "b,2", "a,", "c,10"]
