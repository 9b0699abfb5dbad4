"""Full disks: what was reported as written is there, a build ends with one line, and the next one ends as it should."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

from factory.errors import UNAVAILABLE
from factory.store.integrity import is_intact
from factory.store.outputs import Store
from fault_kinds.fault import Fault, Observation, Outcome
from fault_kinds.isolated import judge_commands, observe, run_command, run_forked
from fault_kinds.stores import check_last_verdict
from fault_kinds.world import digest_outputs
from fault_kinds.writers import WRITERS, observe_written, write_until_failure

OPERATIONS = frozenset({"os.mkdir", "os.rename", "os.link"})
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def limit_file_size(limit: int) -> None:
    """Let writes beyond so many bytes of a file fail, the last one after a part, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def fill_disk(home: Path, after: int) -> None:
    """Let all operations that need space below a home fail with ENOSPC once `after` of them were made."""
    made, below = 0, f"{home}{os.sep}"

    def refuse(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal made
        is_open = name == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if not (is_open or name in OPERATIONS) or not isinstance(arguments[0], (str, os.PathLike)):
            return
        path = os.fspath(arguments[0])
        if isinstance(path, str) and path.startswith(below):
            made += 1
            if made > after:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    sys.addaudithook(refuse)


def inject_full_disk(fault: Fault) -> Observation:
    """Fill the disk under a writer or under a build."""
    draw = fault.create_random()
    return write_on_full_disk(fault, draw) if draw.random() < 0.5 else build_on_full_disk(fault, draw)


def write_on_full_disk(fault: Fault, draw: random.Random) -> Observation:
    """Write to one of a home's files until the disk is full, then again when there is space."""
    home, book, name = fault.folder / "home", fault.folder / "book", draw.choice(sorted(WRITERS))
    home.mkdir()
    writer = WRITERS[name]
    # Every version, answer or output is a file of its own, which a limit on the size of files refuses at once.
    size, after = draw.randrange(100, 6000), draw.randrange(3, 300)
    is_limit = name not in ("versions", "aliases", "answers", "outputs")
    what = f"{name}: files of {size} bytes at most" if is_limit else f"{name}: full after {after} operations"

    def write() -> str:
        limit_file_size(size) if is_limit else fill_disk(home, after)
        return write_until_failure(writer, home, book, 60)

    run = run_forked(write, fault.folder, home)
    if failure := run.find_failure():
        return observe(what, "", failure)
    # An alias or a version may have got its name before the folder's flush failed: it is there and not reported.
    return observe_written(fault.folder, writer, (home, book), what, unreported=0 if is_limit else 1)


def build_on_full_disk(fault: Fault, draw: random.Random) -> Observation:
    """Build on a disk that gets full, then once more when there is space."""
    home, spec = fault.folder / "home", str(fault.world.spec)
    if draw.random() < 0.3:
        shutil.copytree(fault.world.home, home)
        shutil.rmtree(home / "store" / draw.choice(["curate", "train", "freeze", "score", "bundle"]))
    size, after = draw.randrange(0, 40_000), draw.randrange(0, 160)
    is_limit = draw.random() < 0.5
    what = f"a build with files of {size} bytes at most" if is_limit else f"a build, full after {after} operations"

    def build() -> list[dict[str, Any]]:
        limit_file_size(size) if is_limit else fill_disk(home, after)
        return [run_command("build", spec)]

    run = run_forked(build, fault.folder, home)
    if failure := judge_commands(run, (0, UNAVAILABLE)):
        return observe(what, "", failure)
    message = run.value[0]["err"].strip().splitlines()[-1:]
    whole = [output.final_folder for output in Store(home).iter_complete_outputs() if is_intact(output)]
    before = {folder: folder.stat().st_ino for folder in whole}
    again = run_forked(lambda: [run_command("build", spec)], fault.folder, home)
    failure = judge_commands(again, (0,)) or check_last_verdict(home)
    if not failure and digest_outputs(home) != fault.world.outputs:
        failure = "other outputs than without the fault", Outcome.WRONG_RESULT
    if not failure and (lost := [folder.parent.name for folder in before if folder.stat().st_ino != before[folder]]):
        failure = f"made again though they were whole: {lost}", Outcome.LOST_WORK
    if not failure and run.value[0]["code"] and not any(str(home) in line for line in message):
        failure = f"the message names no file: {message}", Outcome.WRONG_RESULT
    return observe(what, "one line, then as it should" if run.value[0]["code"] else "no effect", failure)
