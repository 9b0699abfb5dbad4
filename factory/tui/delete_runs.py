"""Deletion of runs, and a plan that states what it would lose."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from factory.runs.run_index import RunIndex
from factory.runs.run_view import RUNNING
from factory.views.formatting import format_count

MAX_NAMED_RUNS = 6


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """The runs that would be deleted, and the consequences as messages."""

    runs: tuple[str, ...]
    messages: tuple[str, ...]


def plan_deletion(index: RunIndex, runs: Sequence[str]) -> DeletionPlan:
    """Work out what deleting these runs would lose. Active runs are never deleted."""
    selected = [index.summaries[run] for run in runs if run in index.summaries]
    deletable = [run for run in selected if run.state != RUNNING]
    messages = [f"{run.id} is still running and will not be deleted" for run in selected if run.state == RUNNING]
    if deletable:
        # A version is a distinct bundle: it survives as long as any run that made it.
        safe = {(run.name, run.bundle) for run in index.list_runs() if run not in deletable and run.verdict}
        versions = {run.name for run in deletable if run.verdict and run.bundle and (run.name, run.bundle) not in safe}
        more = len(deletable) - MAX_NAMED_RUNS
        names = ", ".join(run.id for run in deletable[:MAX_NAMED_RUNS]) + (f" and {more} more" if more > 0 else "")
        messages += [
            f"Delete {format_count(len(deletable), 'run')}: {names}?",
            "This permanently deletes the journal (stages, curves, notes) and the log of each run.",
            *(f"A version of {name} can no longer be tried: no other run has its bundle." for name in sorted(versions)),
            "Stage outputs stay in the store until `factory gc` removes them.",
        ]
    return DeletionPlan(tuple(run.id for run in deletable), tuple(messages))


def delete_runs(home: Path, runs: Sequence[str]) -> list[str]:
    """Delete the journals and logs of runs. Returns those that were deleted."""
    deleted = []
    for run in runs:
        hidden = home / "runs" / f".{run}.gone"
        try:
            # Rename first: a process killed half-way leaves a hidden folder, not a run with half of its files.
            (home / "runs" / run).rename(hidden)
            shutil.rmtree(hidden, ignore_errors=True)
            deleted.append(run)
        except OSError:
            continue
    return deleted
