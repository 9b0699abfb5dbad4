"""Kills: of whole builds at any file operation or event, of training, and of whatever writes to a home."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import toy_builds

from factory.events import Measured
from factory.store.integrity import is_intact
from factory.store.outputs import Store
from fault_kinds.fault import Fault, Observation, Outcome
from fault_kinds.isolated import judge_commands, observe, run_command, run_forked
from fault_kinds.stores import check_last_verdict
from fault_kinds.world import digest_outputs
from fault_kinds.writers import WRITERS, observe_written, write_until_failure

FILE_OPERATIONS, EVENTS = 660, 125
"""Of the worker of a whole toy build in the store, and in its journal; about."""
STAGES = ("base", "gather", "freeze", "curate", "train", "answer", "look", "gate", "bundle", "certify")


def draw_kill(draw: random.Random) -> str:
    """Return a moment as the tests' fault plugin takes it."""
    match draw.randrange(6):
        case 0:
            return f"commit:{draw.choice(STAGES)}"
        case 1:
            return f"event:{draw.randrange(1, EVENTS)}"
        case 2:
            return f"worker:{draw.randrange(2, FILE_OPERATIONS)}"
        case _:
            return f"both:{draw.randrange(2, FILE_OPERATIONS)}"


def inject_killed_build(fault: Fault) -> Observation:
    """Kill real processes of a build once or more in a row, then run the same command."""
    draw, home, spec = fault.create_random(), fault.folder / "home", fault.world.spec
    kills = [draw_kill(draw) for _ in range(draw.choice([1, 1, 2]))]
    what = ", then ".join(kills)
    for kill in kills:
        _, told = toy_builds.faulty(spec, home, kill)
        if any("Traceback" in line for line in told):
            return Observation(what, " ".join(told)[-500:], Outcome.TRACEBACK)
        wait_for_workers(home)
    complete = [output for output in Store(home).iter_complete_outputs()]
    if torn := [output.kind for output in complete if not is_intact(output)]:
        return Observation(what, f"torn outputs that look complete: {torn}", Outcome.WRONG_RESULT)
    before = {output.final_folder: output.final_folder.stat().st_ino for output in complete}
    steps = count_steps(home)
    again = run_forked(lambda: [run_command("build", str(spec))], fault.folder, home)
    failure = judge_commands(again, (0,)) or check_last_verdict(home)
    if not failure and digest_outputs(home) != fault.world.outputs:
        failure = "other outputs than without the kill", Outcome.WRONG_RESULT
    if not failure and (lost := [folder.parent.name for folder in before if folder.stat().st_ino != before[folder]]):
        failure = f"made again though they were complete: {lost}", Outcome.LOST_WORK
    resumed = min(count_steps(home, first=True), default=0)
    # Without a checkpoint between a report and its step, at most the step at hand is taken again.
    if not failure and steps and resumed and resumed < max(steps):
        failure = f"training went on at step {resumed} after {max(steps)} steps", Outcome.LOST_WORK
    if not failure and (parts := list((home / "store").glob("*/*.part"))):
        failure = f"left over: {[path.name for path in parts]}", Outcome.WRONG_RESULT
    return observe(what, "complete stages kept, same outputs", failure)


def count_steps(home: Path, *, first: bool = False) -> list[int]:
    """Return the steps of training that the newest run journalled; none if it wrote no journal."""
    if not (home / "runs").is_dir() or not any((home / "runs").glob("*/journal.jsonl")):
        return []
    return [event.step for event in toy_builds.events(home) if isinstance(event, Measured)][: 1 if first else None]


def wait_for_workers(home: Path) -> None:
    """Wait until no process works for a home: the worker of a killed parent ends by itself."""
    toy_builds.until(lambda: not toy_builds.living(home), seconds=30)


def inject_killed_writer(fault: Fault) -> Observation:
    """Kill a process at one of its writes, flushes or renames, perhaps in the middle of the write."""
    draw, home, book = fault.create_random(), fault.folder / "home", fault.folder / "book"
    name, at, share = draw.choice(sorted(WRITERS)), draw.randrange(1, 60), draw.random()
    home.mkdir()
    writer, what = WRITERS[name], f"{name}: operation {at}, after {share:.0%} of a write"
    run = run_forked(lambda: [arm_kill(at, share), write_until_failure(writer, home, book)], fault.folder, home)
    if run.is_hang or run.status not in (0, -signal.SIGKILL):
        return observe(what, "", run.find_failure())
    return observe_written(fault.folder, writer, (home, book), what, unreported=1)


def arm_kill(at: int, share: float) -> None:
    """Let this process be killed at its operation number `at`, after a share of the bytes if it is a write."""
    made = 0

    def count(name: str) -> None:
        original = getattr(os, name)

        def operate(*arguments: object, **more: object) -> object:
            nonlocal made
            made += 1
            if made == at:
                if name == "write":
                    original(arguments[0], bytes(arguments[1])[: int(len(bytes(arguments[1])) * share)])  # type: ignore[call-overload]
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **more)

        setattr(os, name, operate)

    for name in ("write", "fsync", "fdatasync", "rename", "replace", "mkdir"):
        count(name)
