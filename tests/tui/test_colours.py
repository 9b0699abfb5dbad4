"""Colours that mean a state are told apart by every kind of eye, on dark and on light; no state is a colour alone."""

from itertools import combinations

import pytest

from factory.tui import look
from factory.tui.colours import BLINDNESS, ciede2000, contrast, distance

FAR = 15.0
"""CIEDE2000; 2.3 is just noticeable."""
READ = 4.5
"""WCAG's least contrast of text."""


@pytest.mark.parametrize("colours", [look.DARK, look.LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("eyes", ["", *BLINDNESS], ids=["common", *BLINDNESS])
def test_states_are_far_apart(colours: dict[str, str], eyes: str) -> None:
    near = {(a, b): distance(colours[a], colours[b], eyes) for a, b in combinations(look.STATES, 2)}
    assert {pair: round(far, 1) for pair, far in near.items() if far < FAR} == {}


@pytest.mark.parametrize("colours", [look.DARK, look.LIGHT], ids=["dark", "light"])
def test_everything_is_read_with_ease(colours: dict[str, str]) -> None:
    letters = [name for name in colours if name not in ("ground", "panel", "cursor")]
    assert [name for name in letters if contrast(colours[name], colours["ground"]) < READ] == []
    assert contrast(colours["text"], colours["cursor"]) >= READ


def test_the_distance_is_that_of_the_paper() -> None:
    assert ciede2000((50, 2.6772, -79.7751), (50, 0, -82.7485)) == pytest.approx(2.0425, abs=1e-4)
    assert ciede2000((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619)) == pytest.approx(2.0373, abs=1e-4)


def test_red_and_green_are_alike_to_some_eyes() -> None:
    assert distance("#008000", "#a05000", "deutan") < distance("#008000", "#a05000") / 2


def test_states_differ_by_sign_and_word_too() -> None:
    for signs in (look.STAGES, look.RUNS, look.VERDICTS, look.RESULTS):
        assert len({sign for sign, *_ in signs.values()}) == len(signs)


def test_an_interval_is_drawn_to_scale() -> None:
    assert look.interval(0.0, 0.5, 1.0, (0.0, 1.0), 9) == "├───●───┤"
    assert look.interval(0.5, 0.5, 0.5, (0.0, 1.0), 3) == " ● "
    assert look.interval(0.5, 0.75, 1.0, (-1.0, 1.0), 9) == "    ┊ ├●┤"[:9]
    assert look.bar(0.5, 4) == "██··" and look.bar(0.0, 4) == "····" and look.bar(2.0, 4) == "████"
