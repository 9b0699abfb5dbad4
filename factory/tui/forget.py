"""Deleting runs, and what that loses."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from factory.runs.run_view import RUNNING
from factory.tui.index import Index

NAMED = 6


@dataclass(frozen=True, slots=True)
class Losses:
    """The runs that would go, and what that means in words."""

    runs: tuple[str, ...]
    said: tuple[str, ...]


def losses(index: Index, wanted: Sequence[str]) -> Losses:
    """What deleting these runs would lose. One that is going on is never deleted."""
    chosen = [index.found[run] for run in wanted if run in index.found]
    going = [one for one in chosen if one.state == RUNNING]
    gone = [one for one in chosen if one.state != RUNNING]
    kept = {(one.name, one.bundle) for one in index.all() if one not in gone and one.verdict}
    versions = sorted({one.name for one in gone if one.verdict and one.bundle and (one.name, one.bundle) not in kept})
    said = [f"{one.id} is going on and stays" for one in going]
    if gone:
        names = ", ".join(one.id for one in gone[:NAMED]) + (
            f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
        )
        said.append(f"Delete {len(gone)} {'run' if len(gone) == 1 else 'runs'}: {names}?")
        said.append("Lost for good: the journal (stages, curves, notes) and the log of each.")
        if versions:
            said.append(f"A version of {', '.join(versions)} leaves the shelf: no other run made the same bundle.")
        said.append("Outputs stay in the store until `factory gc` frees them.")
    return Losses(tuple(one.id for one in gone), tuple(said))


def forget(home: Path, runs: Sequence[str]) -> list[str]:
    """Delete the journals and logs of runs; returns those that are gone. The rename makes a kill half-way harmless."""
    gone = []
    for run in runs:
        folder = home / "runs" / run
        grave = home / "runs" / f".{run}.gone"
        try:
            folder.rename(grave)
            shutil.rmtree(grave, ignore_errors=True)
            gone.append(run)
        except OSError:
            continue
    return gone
