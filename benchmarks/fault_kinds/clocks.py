"""Clocks that are set back, run ahead or jump: numbers, budgets, lists and digests do not depend on them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from factory.errors import UnavailableError
from factory.llm.ledger import BudgetTerms, Ledger
from factory.store.version_registry import list_registered
from fault_kinds.fault import Fault, Observation, Outcome
from fault_kinds.isolated import ForkedRun, judge_commands, observe, run_command, run_forked
from fault_kinds.world import digest_outputs

DAY = 86_400.0
REAL_CLOCK = time.time


def draw_clock(draw: random.Random) -> tuple[str, Callable[[], float]]:
    """Return a name and a clock: a fixed one, one with an offset, or one that jumps at each look."""
    fixed = draw.choice([0.0, 1.0, 3e8, 1e9, 2.0**31 - 1, 2.0**31, 2.0**32, 4e9, 32_503_680_000.0])
    offset = draw.choice([-20_000, -365, -1, -0.04, 0.04, 1, 365, 20_000]) * DAY
    state = random.Random(draw.random())
    return draw.choice([
        (f"stopped at {fixed:.0f}", lambda: fixed), (f"{offset / DAY:+g} days", lambda: REAL_CLOCK() + offset),
        ("jumps by days", lambda: REAL_CLOCK() + state.uniform(-30, 30) * DAY),
    ])


def run_at(clock: Callable[[], float], *commands: list[str]) -> list[dict[str, Any]]:
    """Run commands in a process whose clock is replaced."""
    time.time = clock
    return [run_command(*command) for command in commands]


def inject_clock(fault: Fault) -> Observation:
    """Replace the clock of builds, or of a budget."""
    draw = fault.create_random()
    return build_at_clocks(fault, draw) if fault.number % 4 == 1 else spend_at_clocks(fault, draw)


def build_at_clocks(fault: Fault, draw: random.Random) -> Observation:
    """Build twice under two clocks, the second with another margin: versions 1 and 2, and lists that read them."""
    (first, one), (second, two) = draw_clock(draw), draw_clock(draw)
    home, spec, what = fault.folder / "home", str(fault.world.spec), f"builds at a clock {first}, then {second}"
    built = run_forked(lambda: run_at(one, ["build", spec]), fault.folder, home)
    if failure := judge_commands(built, (0,)):
        return observe(what, "", failure)
    failure = None
    if digest_outputs(home) != fault.world.outputs:
        failure = "other outputs than without the fault", Outcome.WRONG_RESULT
    again = ["build", spec, "--set", "gate.margin=0.01"]
    listed = run_forked(
        lambda: run_at(two, again, ["runs", "--json"], ["specialists", "--json"], ["show", "latest"], ["build", spec]),
        fault.folder, home,
    )
    failure = failure or judge_commands(listed, (0,)) or judge_versions(home, listed)
    return observe(what, "versions 1 and 2, same outputs", failure)


def judge_versions(home: Path, run: ForkedRun) -> tuple[str, Outcome] | None:
    """Return what is wrong with the numbers of versions and the list of runs after two builds."""
    numbers = [version.number for version in list_registered(home)]
    if numbers != [1, 2]:
        return f"the versions are {numbers}", Outcome.WRONG_RESULT
    runs = json.loads(run.value[1]["out"])
    if len(runs) != 2:
        return f"{len(runs)} runs are listed", Outcome.WRONG_RESULT
    return None


def spend_at_clocks(fault: Fault, draw: random.Random) -> Observation:
    """Spend a budget under two clocks: a build's verdict ends its bill, and its own requests count at any time."""
    (first, one), (second, two) = draw_clock(draw), draw_clock(draw)
    tokens, home = draw.randrange(50, 500), fault.folder / "home"
    run = run_forked(lambda: spend(home / "ledger.jsonl", tokens, one, two), fault.folder, home)
    failure = run.find_failure() or ((run.value, Outcome.WRONG_RESULT) if run.value else None)
    return observe(f"a budget of {tokens} tokens at a clock {first}, then {second}", "kept", failure)


def spend(path: Path, tokens: int, one: Callable[[], float], two: Callable[[], float]) -> str:
    """Return what is wrong with the budget."""
    time.time = one
    ledger = Ledger(path, BudgetTerms("test", tokens=tokens, since=min(one(), two())))
    ledger.record_attempt_end(ledger.record_attempt(), "ok", tokens_in=10 * tokens, tokens_out=0, cost=0.0)
    ledger.record_verdict()
    time.time = two
    fresh = Ledger(path, BudgetTerms("test", tokens=tokens, since=two()))
    for each in (ledger, fresh):
        each.check_budget()  # raises if what another build spent is counted
    fresh.record_attempt_end(fresh.record_attempt(), "ok", tokens_in=tokens, tokens_out=0, cost=0.0)
    time.time = one
    for each in (ledger, fresh, Ledger(path, BudgetTerms("test", tokens=tokens, since=one()))):
        try:
            each.check_budget()
        except UnavailableError:
            continue
        return "a budget that is used up is not noticed"
    return ""
