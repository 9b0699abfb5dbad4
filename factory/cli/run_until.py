"""Runs a plan up to one stage, with the display of a build, for commands that show its output."""

from __future__ import annotations

import signal
from types import FrameType
from typing import TYPE_CHECKING

from factory.cli import output

if TYPE_CHECKING:
    from factory.plan.builder import Plan
    from factory.registry.registry import Registry
    from factory.spec.layers import ResolvedSpec


def make_until_stage(
    plan: Plan, until: str, resolved: ResolvedSpec, registry: Registry, *, plain: bool = False
) -> None:
    """Run a stage and the stages it depends on. If its output is complete, nothing runs and no run is journalled."""
    from factory.store.outputs import Store
    from factory.store.paths import find_home

    if Store(find_home()).locate_output(until, plan[until].key).is_complete:
        return
    from factory.cli.progress_live import LiveProgress
    from factory.cli.progress_plain import PlainProgress
    from factory.engine.build import run_until

    signal.signal(signal.SIGTERM, raise_keyboard_interrupt)
    display = PlainProgress() if plain or not output.is_interactive() else LiveProgress()
    with display:
        run_until(plan, until, resolved, registry, find_home(), listener=display.handle_event)


def raise_keyboard_interrupt(number: int, frame: FrameType | None) -> None:
    """Signal handler: treat SIGTERM like Ctrl-C, so that the journal records the run as interrupted."""
    raise KeyboardInterrupt
