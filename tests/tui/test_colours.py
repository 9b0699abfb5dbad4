"""Colours that mean a state are told apart by every kind of eye, on dark and on light; no state is a colour alone."""

from itertools import combinations

import pytest
from colour_vision import BLINDNESS, compute_ciede2000, compute_contrast, compute_distance

from factory.events import Verdict
from factory.tui import theme
from factory.views.elements import draw_share_bar
from factory.views.signs import RESULT_SIGNS, RUN_SIGNS, STAGE_SIGNS

FAR = 15.0
"""CIEDE2000; 2.3 is just noticeable."""
READ = 4.5
"""WCAG's least contrast of text."""


@pytest.mark.parametrize("colours", [theme.DARK, theme.LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("eyes", ["", *BLINDNESS], ids=["common", *BLINDNESS])
def test_states_are_far_apart(colours: dict[str, str], eyes: str) -> None:
    pairs = combinations(theme.STATE_COLOURS, 2)
    near = {(a, b): compute_distance(colours[a], colours[b], eyes) for a, b in pairs}
    assert {pair: round(far, 1) for pair, far in near.items() if far < FAR} == {}


@pytest.mark.parametrize("colours", [theme.DARK, theme.LIGHT], ids=["dark", "light"])
def test_everything_is_read_with_ease(colours: dict[str, str]) -> None:
    letters = [name for name in colours if name not in ("ground", "panel", "cursor")]
    assert [name for name in letters if compute_contrast(colours[name], colours["ground"]) < READ] == []
    assert compute_contrast(colours["text"], colours["cursor"]) >= READ


def test_the_distance_is_that_of_the_paper() -> None:
    assert compute_ciede2000((50, 2.6772, -79.7751), (50, 0, -82.7485)) == pytest.approx(2.0425, abs=1e-4)
    assert compute_ciede2000((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619)) == pytest.approx(
        2.0373, abs=1e-4
    )


def test_red_and_green_are_alike_to_some_eyes() -> None:
    assert compute_distance("#008000", "#a05000", "deutan") < compute_distance("#008000", "#a05000") / 2


def test_states_differ_by_sign_and_word_too() -> None:
    for signs in (STAGE_SIGNS, RUN_SIGNS, RESULT_SIGNS):
        assert len({sign for sign, *_ in signs.values()}) == len(signs)
    assert len({verdict.facts.sign for verdict in Verdict}) == len({v.facts.title for v in Verdict}) == len(Verdict)


def test_a_bar_is_filled_by_its_share() -> None:
    assert [draw_share_bar(share, 4) for share in (0.5, 0.0, 2.0)] == ["██··", "····", "████"]
