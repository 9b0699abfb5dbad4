"""Homes for the terminal interface to show, and a way to press keys in it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from fake_runs import fake_run
from textual.pilot import Pilot
from toy_builds import PATIENCE

from factory import events
from factory.tui.app import FactoryApp

SHIPPED = "20261122-015700-icd-0f3a"
NOW = 1_795_315_600.0
"""An hour after the first fake run began."""
Story = Callable[[FactoryApp, Pilot], Awaitable[None]]


def home_of_three(home: Path) -> Path:
    """One specialist that may ship, a later version that may not, and a run whose process died while it trained."""
    fake_run(home, SHIPPED)
    fake_run(home, "20261122-021500-icd-1b2c", verdict="NO_SHIP", lift=-0.2, salt="two", at=NOW - 2520)
    fake_run(home, "20261122-023000-voice-9d41", end=False, at=NOW - 1620, salt="three")
    return home


def drive(home: Path, story: Story, size: tuple[int, int] = (80, 24), start: str = "runs", run: str = "") -> None:
    """Open the app on a home, wait until everything is read, and let a story press keys."""

    async def main() -> None:
        app = FactoryApp(home, clock=lambda: NOW, start_screen=start)
        app.state.selected_run = run
        async with app.run_test(size=size) as pilot:
            await settled(app, pilot)
            await story(app, pilot)

    asyncio.run(main())


async def settled(app: FactoryApp, pilot: Pilot) -> None:
    """Until all runs are read and all work in threads is told."""
    await until(pilot, lambda: app.refresh_count and app.refresh_steps is None)
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()


async def until(pilot: Pilot, happened: Callable[[], object]) -> None:
    """Until something is so, however busy the machine is."""
    deadline = time.monotonic() + PATIENCE
    while not happened() and time.monotonic() < deadline:
        await pilot.pause(0.02)
    assert happened()


def text_of(app: FactoryApp) -> str:
    """The screen as plain text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(part.text for part in strip).rstrip() for strip in strips)


def line(at: float, event: events.Event, **more: object) -> bytes:
    """A line of a journal."""
    return json.dumps({"at": at, **events.to_json(event), **more}).encode() + b"\n"
