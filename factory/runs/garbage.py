"""Garbage collection of the store: outputs that no recent run uses, and incomplete ones that no build has locked."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from factory.errors import InputError
from factory.runs.run_view import GATE_STAGE, RUNNING, RunView, iterate_newest_runs
from factory.store.outputs import DAMAGED_SUFFIX, StageOutput, Store

DAMAGED_REASON = "damaged, and set aside by a build that made it again"


@dataclass(frozen=True, slots=True)
class RemovedFolder:
    """A folder that was, or would be, deleted: its path in the store, its size in bytes, and the reason."""

    place: str
    bytes: int
    why: str


def collect_garbage(home: Path, keep: int, *, dry_run: bool = False) -> list[RemovedFolder]:
    """Delete outputs that none of the last `keep` runs uses; returns the deleted folders.

    Outputs that a build has locked are kept. Raises InputError if `keep` is less than 1.
    """
    if keep < 1:
        raise InputError("--keep must be 1 or more: the newest run of each specialist is always kept")
    store, used = Store(home), find_referenced_stages(iterate_newest_runs(home, brief=True), keep)
    deleted: list[RemovedFolder] = []
    for output in _list_outputs(store):
        if (output.kind, output.key) in used:
            deleted += _delete_folder(_locate_damaged(output), DAMAGED_REASON, dry_run)
            continue
        with _try_lock_output(output) as locked:
            if locked:
                deleted += _delete_output(store, output, dry_run)
    return deleted


def find_referenced_stages(runs: Iterable[RunView], keep: int) -> set[tuple[str, str]]:
    """Return (kind, key) of every stage of running runs and of the last `keep` runs of each specialist.

    Builds are counted separately from runs of `data` and `advise`, so that those never displace a bundle.
    """
    counts: dict[tuple[str, bool], int] = {}
    stages: set[tuple[str, str]] = set()
    for run in runs:
        group = (run.name, GATE_STAGE in run.stages)
        counts[group] = counts.get(group, 0) + 1
        if counts[group] <= keep or run.state == RUNNING:
            stages |= {(name.partition("[")[0], stage.key) for name, stage in run.stages.items()}
    return stages


def _list_outputs(store: Store) -> list[StageOutput]:
    """Return every output with a folder in the store: complete, incomplete, or partly deleted."""
    folders = sorted(p for p in store.root.glob("*/*") if p.is_dir())
    # Folders of one output share the key before the first dot: KEY, KEY.part, KEY.gone.
    keys = dict.fromkeys((p.parent.name, p.name.partition(".")[0]) for p in folders)
    return [StageOutput(store.root, kind, key) for kind, key in keys]


@contextmanager
def _try_lock_output(output: StageOutput) -> Iterator[bool]:
    """Try to lock an output; yields False if a build has locked it."""
    with (output.work_folder.parent / f"{output.key}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _delete_output(store: Store, output: StageOutput, dry_run: bool) -> Iterator[RemovedFolder]:
    trash = output.final_folder.with_name(f"{output.key}.gone")
    reasons = {
        output.final_folder: "not used by a recent run",
        output.work_folder: "incomplete, and no build is writing it",
        trash: "left over from an interrupted deletion",
    }
    for folder, reason in reasons.items():
        yield from _delete_folder(folder, reason, dry_run=True)
    yield from _delete_folder(_locate_damaged(output), DAMAGED_REASON, dry_run)
    if not dry_run:
        shutil.rmtree(trash, ignore_errors=True)
        store.forget(output)


def _locate_damaged(output: StageOutput) -> Path:
    return output.final_folder.with_name(f"{output.key}{DAMAGED_SUFFIX}")


def _delete_folder(folder: Path, reason: str, dry_run: bool) -> Iterator[RemovedFolder]:
    """Yield a folder if it exists, and delete it unless `dry_run`."""
    if folder.is_dir():
        size = sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
        yield RemovedFolder(f"{folder.parent.name}/{folder.name}", size, reason)
        if not dry_run:
            shutil.rmtree(folder, ignore_errors=True)
