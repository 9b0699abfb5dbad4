"""Races: several processes at once on versions, aliases, ledgers, consents, answers and builds of one home."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loopback import Play, Server, echo
from teach_parts import ask, teacher
from toy_builds import ran

from factory.errors import BAD_INPUT, UNAVAILABLE
from factory.llm import BudgetTerms
from factory.llm.ledger import Ledger
from factory.store.journal import list_journals
from factory.store.version_registry import (
    VersionFacts,
    list_registered,
    read_aliases,
    register_alias,
    register_versions,
)
from fault_kinds.fault import Fault, Observation, Outcome
from fault_kinds.isolated import judge_commands, observe, run_command, run_forked
from fault_kinds.stores import check_last_verdict
from fault_kinds.world import digest_outputs
from fault_kinds.writers import WRITERS

Failure = tuple[str, Outcome] | None
BESIDE = (
    ["gc", "--keep", "1"], ["gc", "--keep", "0"], ["runs"], ["show", "latest"], ["specialists"], ["verify", "--store"],
)
"""Commands that run beside builds."""


def run_together(calls: list[Callable[[], Any]]) -> list[int]:
    """Run calls in forked processes that start at the same moment; returns their exit statuses."""
    gate_out, gate_in = os.pipe()
    children = []
    for call in calls:
        if (child := os.fork()) == 0:
            code = 1
            try:
                os.close(gate_in)
                os.read(gate_out, 1)  # ends when the parent closes the gate
                call()
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    os.close(gate_in)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def race_versions(home: Path, processes: int, draw: random.Random) -> Failure:
    """Register versions and aliases in several processes."""
    def claim(worker: int) -> None:
        for n in range(5):
            register_versions(home, "icd", {f"{worker}-{n}": VersionFacts()})
            register_alias(home, "icd", f"alias-{worker}-{n}", f"{worker}-{n}")

    run_together([lambda worker=worker: claim(worker) for worker in range(processes)])  # type: ignore[misc]
    numbers = [version.number for version in list_registered(home)]
    if numbers != list(range(1, 5 * processes + 1)):
        return f"numbers {numbers}", Outcome.WRONG_RESULT
    lost = 5 * processes - len(read_aliases(home, "icd"))
    return (f"{lost} aliases were lost", Outcome.LOST_WORK) if lost else None


def race_writers(home: Path, processes: int, draw: random.Random) -> Failure:
    """Append to one of a home's files in several processes."""
    name = draw.choice(sorted(WRITERS))
    writer = WRITERS[name]

    def write(worker: int) -> None:
        for number in range(6):
            writer.write(home, worker * 100 + number)

    run_together([lambda worker=worker: write(worker) for worker in range(processes)])  # type: ignore[misc]
    found = writer.count(home)
    return None if found == 6 * processes else (f"{name}: {found} of {6 * processes}", Outcome.LOST_WORK)


def race_budget(home: Path, processes: int, draw: random.Random) -> Failure:
    """Reserve requests from one budget in several processes."""
    limit, each = draw.randrange(50, 400), draw.randrange(5, 40)

    def reserve() -> None:
        ledger = Ledger(home / "ledger.jsonl", BudgetTerms("test", tokens=limit))
        for _ in range(20):
            if attempt := ledger.reserve_attempt(each, 0.0):
                ledger.record_attempt_end(attempt, "ok", tokens_in=each, tokens_out=0)

    run_together([reserve] * processes)
    spent = Ledger(home / "ledger.jsonl", BudgetTerms("test", tokens=limit)).compute_budget_usage().tokens
    fits = limit <= spent + each and spent < limit + each if 20 * processes * each > limit else True
    return None if fits else (f"{spent} tokens spent of {limit}, {each} at a time", Outcome.WRONG_RESULT)


def race_answers(home: Path, processes: int, draw: random.Random) -> Failure:
    """Ask the same questions in several processes: each is paid for once."""
    texts = [f"question {n}" for n in range(draw.randrange(2, 8))]
    with Server(otherwise=Play(echo, wait=0.01)) as server:
        def consult() -> None:
            replies = [reply.text for reply in teacher(server, home).ask(map(ask, texts))]
            if replies != [text.upper() for text in texts]:
                os._exit(7)

        # The children inherit the open port; the parent's thread answers.
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        codes = run_together([consult] * processes)
        server.shutdown()
        most = max(Counter(request.text for request in server.asked).values())
    if any(codes):
        return f"exit codes {codes}", Outcome.WRONG_RESULT
    return (f"a question was paid {most} times", Outcome.LOST_WORK) if most > 1 else None


SMALL_RACES = (race_versions, race_writers, race_budget, race_answers)


def inject_race(fault: Fault) -> Observation:
    """Let several processes work on one home at the same moment."""
    draw, home = fault.create_random(), fault.folder / "home"
    if fault.number % 5 == 0:
        return race_builds(fault, draw)
    home.mkdir()
    race, processes = draw.choice(SMALL_RACES), draw.randrange(2, 9)
    run = run_forked(lambda: race(home, processes, draw), fault.folder, home)
    failure = run.find_failure() or ((run.value[0], Outcome(run.value[1])) if run.value else None)
    return observe(f"{race.__name__} of {processes} processes", "none lost, none twice", failure)


def race_builds(fault: Fault, draw: random.Random) -> Observation:
    """Build the same spec in several processes, with other commands beside them."""
    home, spec, builds = fault.folder / "home", str(fault.world.spec), draw.randrange(1, 4)
    beside = [draw.choice(BESIDE) for _ in range(draw.randrange(1 if builds == 1 else 0, 3))]
    what = f"{builds} builds beside {', '.join(' '.join(command) for command in beside) or 'nothing'}"

    def build(number: int) -> None:
        run = run_forked(lambda: [run_command("build", spec)], make_folder(fault.folder / f"b{number}"), home)
        if judge_commands(run, (0,)):
            (fault.folder / f"b{number}" / "failed").write_text(str(judge_commands(run, (0,))))

    def look(number: int, command: list[str]) -> None:
        folder = make_folder(fault.folder / f"c{number}")
        for _ in range(6):
            run = run_forked(lambda: [run_command(*command)], folder, home)
            if failure := judge_commands(run, (0, 1, BAD_INPUT, UNAVAILABLE)):
                (folder / "failed").write_text(str(failure))

    calls: list[Callable[[], Any]] = [lambda n=n: build(n) for n in range(builds)]  # type: ignore[misc]
    calls += [lambda n=n, each=each: look(n, each) for n, each in enumerate(beside)]  # type: ignore[misc]
    run_together(calls)
    failure: Failure = None
    if failed := sorted(fault.folder.glob("*/failed")):
        text = failed[0].read_text()
        failure = text, Outcome.TRACEBACK if "Traceback" in text else Outcome.WRONG_RESULT
    return observe(what, "each stage once, same outputs", failure or judge_builds(fault, home, builds))


def judge_builds(fault: Fault, home: Path, builds: int) -> Failure:
    """Return what is wrong with the outputs of builds at once: other ones, or a stage that ran twice."""
    if failure := check_last_verdict(home):
        return failure
    if digest_outputs(home) != fault.world.outputs:
        return "other outputs than of one build", Outcome.WRONG_RESULT
    stages = [stage for run in range(len(list_journals(home))) for stage in ran(home, run)]
    twice = [stage for stage, count in Counter(stages).items() if count > 1]
    return (f"ran twice: {twice}", Outcome.LOST_WORK) if twice else None


def make_folder(folder: Path) -> Path:
    """Create a folder and return it."""
    folder.mkdir()
    return folder
