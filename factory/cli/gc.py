"""What `factory gc` takes away: outputs that no recent run refers to, and half-made ones that nobody holds."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from factory.errors import InputError
from factory.runs.run_view import GATE_STAGE, RUNNING, RunView, iterate_newest_runs
from factory.store.outputs import StageOutput, Store


@dataclass(frozen=True, slots=True)
class RemovedFolder:
    """One folder that was, or would be, taken away: its place in the store, its size, and why."""

    place: str
    bytes: int
    why: str

    def to_json(self) -> dict[str, Any]:
        """As `--json` lists it."""
        return asdict(self)


def collect_garbage(home: Path, keep: int, *, dry_run: bool = False) -> list[RemovedFolder]:
    """Take away what no kept run refers to; returns what went. What a build holds at this moment stays."""
    if keep < 1:
        raise InputError("--keep must be 1 or more: the newest run of each specialist is never taken apart")
    store, wanted = Store(home), find_referenced_stages(iterate_newest_runs(home, brief=True), keep)
    gone: list[RemovedFolder] = []
    for place in _list_store_places(store):
        if (place.kind, place.key) in wanted:
            continue
        with _try_lock_place(place) as mine:
            if mine:
                gone += _delete_place(store, place, dry_run)
    return gone


def find_referenced_stages(runs: Iterable[RunView], keep: int) -> set[tuple[str, str]]:
    """(kind, key) of every stage of the last `keep` runs of each specialist, and of all runs that are going on.

    Builds are counted apart from runs that made rows alone or gave advice: looking at rows frees no bundle.
    """
    seen: dict[tuple[str, bool], int] = {}
    found: set[tuple[str, str]] = set()
    for run in runs:
        sort = (run.name, GATE_STAGE in run.stages)
        seen[sort] = seen.get(sort, 0) + 1
        if seen[sort] <= keep or run.state == RUNNING:
            found |= {(name.partition("[")[0], stage.key) for name, stage in run.stages.items()}
    return found


def _list_store_places(store: Store) -> list[StageOutput]:
    """Every place with anything in it: complete, half-made, or half-deleted."""
    folders = sorted(p for p in store.root.glob("*/*") if p.is_dir())
    keys = dict.fromkeys((p.parent.name, p.name.partition(".")[0]) for p in folders)
    return [StageOutput(store.root, kind, key) for kind, key in keys]


@contextmanager
def _try_lock_place(place: StageOutput) -> Iterator[bool]:
    """Whether the place is ours alone for now; False when a build holds it."""
    with (place.work_folder.parent / f"{place.key}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _delete_place(store: Store, place: StageOutput, dry_run: bool) -> Iterator[RemovedFolder]:
    grave = place.final_folder.with_name(f"{place.key}.gone")
    reasons = {
        place.final_folder: "no recent run refers to it",
        place.work_folder: "half-made, and nobody is making it",
        grave: "half deleted",
    }
    there = [folder for folder in reasons if folder.is_dir()]
    for folder in there:
        yield RemovedFolder(f"{place.kind}/{folder.name}", _compute_folder_bytes(folder), reasons[folder])
    if not dry_run:
        shutil.rmtree(grave, ignore_errors=True)
        store.forget(place)


def _compute_folder_bytes(folder: Path) -> int:
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
