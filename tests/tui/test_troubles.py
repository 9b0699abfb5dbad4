"""What goes wrong around a terminal: runs that died or vanished, no room, no colour, files of another version."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tui_parts import SHIPPED, drive, home_of_three, settled, text_of, until

from factory.tui.keys import SCREENS


def test_a_dead_run_says_so_and_so_does_a_torn_line(three: Path) -> None:
    async def story(app, pilot):
        app.screen.watcher.follower.idle = 9
        app.screen.fill()
        await pilot.pause()
        assert "† dead" in text_of(app) and "the last line is incomplete" in text_of(app)

    drive(three, story, start="run", run="20261122-023000-voice-9d41")


def test_what_vanishes_while_it_is_shown_is_said_to_be_gone(tmp_path: Path) -> None:
    home = home_of_three(tmp_path)

    async def story(app, pilot):
        shutil.rmtree(home / "store")
        for name in SCREENS:
            app.action_page(name)
            await settled(app, pilot)
        shutil.rmtree(home / "runs" / SHIPPED)
        await pilot.press("2")
        await until(pilot, lambda: "the journal was deleted" in text_of(app))
        await pilot.press("1")
        await until(pilot, lambda: len(app.screen.listing("list").table.rows) == 2)

    drive(home, story, size=(80, 24), start="verdict", run=SHIPPED)


def test_what_was_told_for_a_wide_screen_is_told_anew_for_a_narrow_one(three: Path) -> None:
    async def story(app, pilot):
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert "…" not in text_of(app).splitlines()[2] and "better than untuned" in " ".join(text_of(app).split())

    drive(three, story, size=(120, 24), start="verdict", run=SHIPPED)


@pytest.mark.parametrize("screen", [s for s in SCREENS])
def test_a_terminal_of_no_size_is_no_reason_to_stop(three: Path, screen: str) -> None:
    async def story(app, pilot):
        for size in ((1, 1), (3, 2), (20, 4), (250, 3), (5, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.press("down", "tab")
        assert "factory" in text_of(app)

    drive(three, story, start=screen, run=SHIPPED)


def test_without_colour_nothing_is_lost(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    colours: list[str] = []

    async def story(app, pilot):
        assert "▲ SHIP" in text_of(app) and "❯" in text_of(app)
        colours.extend(re.findall(r"fill: #(\w{6})", app.export_screenshot()))

    drive(three, story)
    assert {c for c in colours if len({c[0:2], c[2:4], c[4:6]}) > 1} <= {"c5c8c6"}


def test_an_empty_home_says_how_to_begin(tmp_path: Path) -> None:
    async def story(app, pilot):
        assert "factory build SPEC" in text_of(app)
        for number in range(2, 8):
            await pilot.press(str(number))
            await settled(app, pilot)

    drive(tmp_path, story)


def test_no_torch_in_its_process(three: Path) -> None:
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom factory.tui.app import create_app\n"
        "async def main():\n    app = create_app(Path(sys.argv[1]), '', [])\n"
        "    async with app.run_test(size=(80, 24)) as pilot:\n"
        "        for key in '1234567':\n            await pilot.press(key)\n"
        "            await app.workers.wait_for_complete()\n            await pilot.pause()\n"
        "asyncio.run(main())\nheavy = {'torch', 'transformers', 'peft', 'sentence_transformers', 'accelerate'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(three)], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


STRANGE = {
    "list": "[1, 2]",
    "bare": '{"verdict": "SHIP", "comparisons": [{"baseline": "x"}]}',
    "number": '{"verdict": 7}',
    "torn": "{",
}


@pytest.mark.parametrize("left", STRANGE.values(), ids=STRANGE)
def test_what_a_newer_factory_left_is_no_traceback(tmp_path: Path, left: str) -> None:
    home = home_of_three(tmp_path)
    for name in ("gate", "score", "curate", "preflight", "freeze"):
        for file in (home / "store" / name).glob(f"*/output/{name}.json"):
            file.write_text(left)
    (home / "cache" / "runs-index.json").unlink(missing_ok=True)

    async def story(app, pilot):
        for name in SCREENS:
            app.action_page(name)
            await settled(app, pilot)
            await pilot.press("tab", "down", "tab", "tab")
        assert "Specialists" in text_of(app)

    drive(home, story, run=SHIPPED)


def test_what_is_said_for_a_moment_is_text_and_not_markup(three: Path) -> None:
    async def story(app, pilot):
        app.notify("[/nothing] of answer[tuned] \x1b[31m")
        await pilot.pause()
        (said,) = app._notifications
        assert said.message == "[/nothing] of answer[tuned]" and not said.markup

    drive(three, story)
