"""Reviewing and asking on the terminal: a key a row, on the disk at once; what goes wrong is said."""

from pathlib import Path

from review_parts import desk, rows
from textual.widgets import Input
from tui_parts import drive, home_of_three, settled, text_of, until

from factory.data.review_decisions import read_decisions
from factory.tui.rich_text import render_plain_text as plain
from factory.tui.specialist_client import Reply, SpecialistPool, format_fields, parse_fields
from factory.tui.views import replies_view


def sat(home: Path, story, reviewer: str = "ana", count: int = 4) -> None:
    """The review screen over a desk of a few rows."""

    async def begin(app, pilot):
        await settled(app, pilot)
        app.screen._show_session(desk(home, rows(12), reviewer, count))
        await pilot.pause()
        await story(app, pilot)

    drive(home, begin, start="review")


def test_a_key_decides_and_the_next_row_comes(tmp_path: Path) -> None:
    async def story(app, pilot):
        first = app.screen.item
        await pilot.press("a", "r", "s")
        said = [word.verdict for word in read_decisions(tmp_path / "review.jsonl").decisions]
        assert said == ["accept", "reject", "skip"] and app.screen.item.key != first.key
        assert "2 of 4 rows" in text_of(app) and "✓ accept 1" in text_of(app)
        await pilot.press("u", "u")
        assert app.screen.session.measure_progress().decided == 1

    sat(home_of_three(tmp_path), story)


def test_an_answer_is_edited_and_a_wrong_one_refused(tmp_path: Path) -> None:
    async def story(app, pilot):
        item = app.screen.item
        other = next(label for label in ("billing", "refund") if label != item.answer["label"])
        await pilot.press("e")
        app.screen.query_one(Input).value = "nonsense"
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen.item is item and not read_decisions(tmp_path / "review.jsonl").decisions
        await pilot.press("e")
        app.screen.query_one(Input).value = other
        await pilot.press("enter")
        await pilot.pause()
        (word,) = read_decisions(tmp_path / "review.jsonl").decisions
        assert word.verdict == "edit" and word.target == {"label": other}

    sat(home_of_three(tmp_path), story)


def test_two_reviewers_see_how_they_agree(tmp_path: Path) -> None:
    async def first(app, pilot):
        await pilot.press("a", "a", "r", "a")
        assert "all rows are reviewed" in text_of(app) and "only one reviewer" in text_of(app)

    async def second(app, pilot):
        await pilot.press("a", "a", "a", "a")
        assert "ana and ben agree on 3 of 4 rows" in text_of(app) and "≠ ana reject, ben accept" in text_of(app)

    home = home_of_three(tmp_path)
    sat(home, first)
    sat(home, second, "ben")


def test_a_run_that_asks_for_no_review_says_what_to_write(tmp_path: Path) -> None:
    async def story(app, pilot):
        await settled(app, pilot)
        assert "data: {review:" in text_of(app)
        await pilot.press("a", "r", "e", "u", "n")

    drive(home_of_three(tmp_path), story, start="review", run="20261122-015700-icd-0f3a")


def test_what_can_not_be_asked_is_said_beside_the_others(tmp_path: Path) -> None:
    async def story(app, pilot):
        await pilot.press("i", *"why?", "enter")
        await settled(app, pilot)
        await until(pilot, lambda: "build it again" in text_of(app) and len(app.screen.replies) == 1)

    drive(home_of_three(tmp_path), story, start="try")


def test_answers_stand_beside_each_other_and_can_not_harm_the_terminal() -> None:
    replies = {
        "a@1": Reply("a@1", "\x1b[2Jwhen was 👩\u200d👧 born?\nهنا", seconds=1.5),
        "b@1": Reply("b@1", "half an ans"),
        "c@1": Reply("c@1", error="it died", seconds=0.2),
        "d@1": Reply("d@1", answers=({"id": "N1", "score": 0.5, "text": "kidney"},), seconds=0.1),
    }
    shown = plain(replies_view.render_replies(replies, 140))
    assert "\x1b" not in shown and "\u200d" not in shown and "when was 👩 born?" in shown
    assert shown.splitlines()[0].split()[:4] == ["a@1", "1.5", "s", "b@1"] and "✗ it died" in shown and "▌" in shown
    assert len(plain(replies_view.render_replies(replies, 40)).splitlines()) > len(shown.splitlines())


def test_further_columns_are_typed_as_on_the_command_line() -> None:
    fields = {"history": ["Who was Ada?"], "language": "en"}
    assert parse_fields(format_fields(fields)) == fields and parse_fields("") == {}


def test_closing_leaves_no_process(tmp_path: Path) -> None:
    asking = SpecialistPool(home_of_three(tmp_path))
    asking.close()
    assert asking.ask("icd", "why?", {}).error and not asking.clients
