"""Runs a plan up to one stage, or a whole build, with the display of its progress."""

from __future__ import annotations

import signal
from types import FrameType
from typing import TYPE_CHECKING

from factory.cli import output
from factory.store.paths import find_home

if TYPE_CHECKING:
    from factory.cli.progress_plain import PlainProgress
    from factory.cli.spec_args import SpecArguments
    from factory.plan.builder import Plan
    from factory.spec.layers import ResolvedSpec


def make_until_stage(
    plan: Plan, until: str, resolved: ResolvedSpec, arguments: SpecArguments, *, plain: bool = False
) -> None:
    """Run a stage and the stages it depends on. If its output is there, and none is damaged, no run is journalled."""
    from factory.store.integrity import list_damage
    from factory.store.outputs import Store

    outputs = [Store(find_home()).locate_output(stage.name, stage.key) for stage in plan.slice_until(until).stages]
    damaged = [output for output in outputs if output.is_complete and list_damage(output)]
    if not damaged and Store(find_home()).locate_output(until, plan[until].key).is_complete:
        return
    from factory.engine.build import run_until

    with create_progress_display(plain) as display:
        run_until(plan, until, resolved, arguments.load_registry(), find_home(), listener=display.handle_event)


def create_progress_display(plain: bool) -> PlainProgress:
    """Return the display of a build: live on a terminal unless `plain`. SIGTERM then interrupts like Ctrl-C."""
    from factory.cli.progress_live import LiveProgress
    from factory.cli.progress_plain import PlainProgress

    signal.signal(signal.SIGTERM, _raise_keyboard_interrupt)
    return PlainProgress() if plain or not output.is_interactive() else LiveProgress()


def _raise_keyboard_interrupt(number: int, frame: FrameType | None) -> None:
    # Like Ctrl-C, so that the journal records the run as interrupted.
    raise KeyboardInterrupt
