"""What keys do: told by the widgets, not by a picture."""

import re
from pathlib import Path

import pytest
from fake_runs import fake_run
from textual.widgets import Input
from tui_parts import SHIPPED, drive, home_of_three, settled, text_of, until

from factory.tui.keys import COMMON_KEYS, SCREENS
from factory.tui.screens.compare import ComparePage
from factory.tui.screens.help import ConfirmScreen, HelpScreen
from factory.tui.screens.runs import RunsPage
from factory.tui.screens.verdict import VerdictPage
from factory.tui.theme import LIGHT


def test_a_newcomer_finds_what_to_ship_and_where_it_got_worse(three: Path) -> None:
    async def story(app, pilot):
        assert "▲ SHIP" in text_of(app)
        await pilot.press("end", "enter")
        await settled(app, pilot)
        assert isinstance(app.screen, VerdictPage) and "answers these 40 test rows better than untuned" in text_of(app)
        await pilot.press("w")
        await settled(app, pilot)
        rows = app.screen.listing("rows").table.rows
        assert isinstance(app.screen, ComparePage) and rows and {r.values[0] for r in rows} == {"lost"}
        assert rows[0].values[5] == min(r.values[5] for r in rows)

    drive(three, story)


def test_digits_go_everywhere_and_every_screen_fits(three: Path) -> None:
    async def story(app, pilot):
        for number, name in enumerate(SCREENS, 1):
            await pilot.press(str(number))
            await settled(app, pilot)
            assert app.current_mode == name
            assert all(len(row) <= 60 for row in text_of(app).splitlines() if row.isascii())
            await pilot.press("tab", "tab", "down", "shift+tab", "end")

    drive(three, story, size=(60, 20))


def test_typing_filters_and_escape_brings_all_back(three: Path) -> None:
    async def story(app, pilot):
        listing = app.screen.listing("list")
        await pilot.press("slash", *"voice")
        await pilot.pause()
        assert [r.values[0] for r in listing.table.rows] == ["voice"]
        await pilot.press("enter")
        assert app.focused is listing
        await pilot.press("escape")
        assert len(listing.table.rows) == 3 and app.screen.query_one("#search", Input).has_class("hidden")

    drive(three, story)


def test_any_column_sorts_and_the_cursor_stays_with_its_run(three: Path) -> None:
    async def story(app, pilot):
        listing = app.screen.listing("list")
        await pilot.press("down")
        here = listing.current.key
        gain = [c.name for c in listing.table.columns].index("gain")
        while listing.sort_column != gain:
            await pilot.press("s")
        assert listing.table.rows[0].values[gain] > 0 and listing.current.key == here
        await pilot.press("S")
        assert listing.table.rows[0].values[gain] < 0

    drive(three, story, size=(200, 60))


def test_marked_runs_are_compared_and_the_next_worse_row_is_a_key_away(three: Path) -> None:
    async def story(app, pilot):
        await pilot.press("down", "space", "space", "c")
        await settled(app, pilot)
        page = app.screen
        assert isinstance(page, ComparePage) and page.comparison is not None and len(page.comparison.sides) == 2
        rows = page.listing("rows")
        await pilot.press("end", "n")
        assert rows.current.values[0] == "lost" and rows.cursor == 0
        await pilot.press("n")
        assert rows.cursor == 1
        assert any(r.values[1] for r in page.listing("metrics").table.rows), "a clear winner is named"

    drive(three, story, size=(200, 60))


def test_one_run_is_taken_apart_into_its_contenders(three: Path) -> None:
    async def story(app, pilot):
        page = app.screen
        assert [side.contender for side in page.comparison.sides] == ["tuned", "untuned", "bm25", "hybrid"]
        assert "A tuned" in text_of(app)
        before = page.listing("rows").table.rows[0].values[3:6]
        await pilot.press("b")
        await pilot.pause()
        assert page.other == 2 and page.listing("rows").table.rows[0].values[3:6] != before
        await pilot.press("x")
        await settled(app, pilot)
        assert page.comparison.sides[0].contender == "bm25"

    drive(three, story, start="compare", run=SHIPPED)


def test_deleting_asks_and_only_y_deletes(tmp_path: Path) -> None:
    home = home_of_three(tmp_path)

    async def story(app, pilot):
        await pilot.press("d")
        assert isinstance(app.screen, ConfirmScreen) and "permanently deletes" in text_of(app)
        await pilot.press("enter")
        assert isinstance(app.screen, RunsPage) and len(list((home / "runs").iterdir())) == 3
        await pilot.press("d", "y")
        await pilot.pause()
        assert len(list((home / "runs").iterdir())) == 2 and len(app.screen.listing("list").table.rows) == 2

    drive(home, story)


@pytest.mark.parametrize("screen", [s for s in SCREENS])
def test_help_names_every_key_of_a_screen(three: Path, screen: str) -> None:
    async def story(app, pilot):
        keys = app.screen.KEYS
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        said = re.sub(r"\s+", " ", app.screen.query_one("#help").text())
        assert [k.description for k in (*keys, *COMMON_KEYS) if re.sub(r"\s+", " ", k.description) not in said] == []
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)

    drive(three, story, size=(200, 60), start=screen)


def test_the_past_of_a_run_is_gone_through_and_left_again(three: Path) -> None:
    async def story(app, pilot):
        page = app.screen
        await pilot.press(*["less_than_sign"] * 6, "left", "left", "left")
        assert page.replay.moment is not None and "replay" in text_of(app)
        states = [r.values[1] for r in page.listing("stages").table.rows]
        assert "waiting" in states and "running" in states
        await pilot.press("space")
        assert page.replay.playing
        await pilot.press("L")
        assert page.replay.moment is None and "waiting" not in [r.values[2] for r in page.listing("stages").table.rows]

    drive(three, story, start="run", run=SHIPPED)


def test_a_stage_tells_why_it_ran(three: Path) -> None:
    async def story(app, pilot):
        page = app.screen
        page.listing("stages").move_to_key("train")
        await pilot.press("enter")
        assert page.deck.active == "detail" and "no earlier run of this spec" in page.pages("detail").text()
        await pilot.press("m", "l", "w")
        assert page.metric == "learning_rate" and page.curve_style.log

    drive(three, story, start="run", run=SHIPPED)


def test_tables_and_screens_are_taken_along(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def story(app, pilot):
        await pilot.press("e", "E", "e")
        await pilot.pause()

    drive(three, story, size=(60, 20))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "factory-runs-list-2.csv",
        "factory-runs-list.csv",
        "factory-runs.svg",
    ]
    assert (tmp_path / "factory-runs-list.csv").read_text().splitlines()[0].startswith("specialist,state,stage")


def test_light_and_dark_are_a_key_apart(three: Path) -> None:
    async def story(app, pilot):
        assert app.current_theme.dark
        await pilot.press("T")
        assert not app.current_theme.dark and LIGHT["good"] in app.export_screenshot().lower()

    drive(three, story)


def test_the_shelf_names_versions_and_verifies(tmp_path: Path) -> None:
    home = home_of_three(tmp_path)

    async def story(app, pilot):
        shelf = app.screen.listing("shelf")
        assert [(r.values[0], r.values[1]) for r in shelf.table.rows] == [("icd@2", "latest"), ("icd@1", "shipped")]
        await pilot.press("v")
        await settled(app, pilot)
        assert shelf.table.rows[0].values[-1] == "✗ 1 problem"
        await pilot.press("a", *"production", "enter")
        await pilot.pause()
        assert shelf.table.rows[0].values[1] == "latest, production"

    drive(home, story, start="specialists")


def test_runs_that_come_are_shown_at_once(tmp_path: Path) -> None:
    home = home_of_three(tmp_path)

    async def story(app, pilot):
        fake_run(home, "20261122-050000-sql-abcd", at=1_795_400_000.0)
        await until(pilot, lambda: app.screen.listing("list").table.rows[0].values[0] == "sql")

    drive(home, story)


def test_the_mouse_does_what_keys_do(three: Path) -> None:
    async def story(app, pilot):
        listing = app.screen.listing("list")
        await pilot.click(listing, offset=(6, 3))
        assert listing.cursor == 1
        await pilot.click(listing, offset=(6, 1))
        assert listing.sort_column == 0
        await pilot.click(listing, offset=(6, 3), times=2)
        await settled(app, pilot)
        assert app.current_mode == "verdict"
        await pilot.click("Bar", offset=(12, 0))
        await pilot.pause()
        assert app.current_mode == "runs"

    drive(three, story)


def test_every_command_is_in_the_palette(three: Path) -> None:
    async def story(app, pilot):
        named = [command.title for command in app.get_system_commands(app.screen)]
        assert "Go to Specialists" in named and "Delete the marked runs, or this one" in named
        assert any(SHIPPED in title for title in named)
        await pilot.press("ctrl+p", *"go to verd", "enter")
        await settled(app, pilot)
        await until(pilot, lambda: app.current_mode == "verdict")

    drive(three, story)
