"""What screens look like, kept as text; `UPDATE_SNAPSHOTS=1` in the environment writes them anew."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tui_parts import NOW, drive, home_of_three, settled, text_of

from factory.cli.app import app as commands
from factory.runs.specialists import find_version
from factory.tui.snapshot import PRINTABLE_SCREENS, take_snapshot

KEPT = Path(__file__).parent / "snapshots"
SHIPPED = "20261122-015700-icd-0f3a"
PICTURES = {
    "runs-60x20": ((60, 20), "runs"),
    "runs-200x60": ((200, 60), "runs"),
    "run-80x24": ((80, 24), "run"),
    "run-200x60": ((200, 60), "run"),
    "verdict-60x20": ((60, 20), "verdict"),
    "verdict-200x60": ((200, 60), "verdict"),
    "compare-80x24": ((80, 24), "compare"),
    "specialists-80x24": ((80, 24), "specialists"),
}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A log tells the time of the day."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def clean(text: str, home: Path) -> str:
    """Leave out where a text stands in the world."""
    return "\n".join(row.rstrip() for row in text.replace(str(home), "HOME").splitlines()) + "\n"


def same(name: str, text: str, home: Path) -> None:
    """Hold a text against the one that is kept."""
    shown = clean(text, home)
    file = KEPT / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text("utf-8")


@pytest.mark.parametrize("name", PICTURES)
def test_a_screen_looks_as_it_did(three: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    size, screen = PICTURES[name]
    shown: list[str] = []
    kept = (KEPT / f"{name}.txt").read_text("utf-8") if (KEPT / f"{name}.txt").is_file() else ""

    async def story(app, pilot):
        app.screen.query_one("Bar").display = False  # it names the folder
        await settled(app, pilot)
        for _ in range(100):  # widgets that are laid out anew draw themselves a moment later
            if clean(text_of(app), three) == kept:
                break
            await pilot.pause(0.02)
        shown.append(text_of(app))

    drive(three, story, size=size, start=screen, run=SHIPPED)
    same(name, shown[0], three)


@pytest.mark.parametrize("screen", PRINTABLE_SCREENS)
def test_a_screen_is_told_as_text_and_as_data(three: Path, screen: str) -> None:
    told = take_snapshot(three, screen, [] if screen in ("runs", "specialists") else [SHIPPED], NOW)
    same(f"once-{screen}", told.render(100), three)
    assert json.loads(json.dumps(told.data, default=str))


def test_the_command_prints_without_a_terminal(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(three))
    run = CliRunner().invoke(commands, ["tui", "--once", "verdict", "icd", "--width", "72"])
    assert run.exit_code == 0 and "✗ NO SHIP" in run.output and max(map(len, run.output.splitlines())) <= 72
    data = CliRunner().invoke(commands, ["tui", "--once", "runs", "--json"])
    assert [row["name"] for row in json.loads(data.output)] == ["voice", "icd", "icd"]
    refused = CliRunner().invoke(commands, ["tui"])
    assert "--once SCREEN" in str(refused.exception)


def test_a_version_is_called_by_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(home_of_three(tmp_path)))
    named = CliRunner().invoke(commands, ["specialists", "--alias", "icd@1=production", "--json"])
    assert [(one["version"], one["aliases"]) for one in json.loads(named.output)] == [
        (2, ["latest"]),
        (1, ["shipped", "production"]),
    ]
    assert find_version(tmp_path, "icd@production").number == find_version(tmp_path, "icd@shipped").number == 1
    assert "not a valid alias" in str(CliRunner().invoke(commands, ["specialists", "--alias", "icd@1=v7"]).exception)
    assert "it has 1 to 2, latest" in str(CliRunner().invoke(commands, ["try", "icd@staging", "-q", "x"]).exception)
