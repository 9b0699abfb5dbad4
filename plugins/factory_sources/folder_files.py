"""The files of a folder that a source reads: regular ones that lie in it, and not what links lead to elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from factory.api import Job


def select_inside_files(folder: Path, paths: Iterable[Path], shown: str, job: Job) -> list[Path]:
    """Return the regular files among `paths`, sorted, without links that leave the folder, which are counted."""
    inside = folder.resolve()
    files = sorted(path for path in paths if path.is_file())
    kept = [path for path in files if path.resolve().is_relative_to(inside)]
    if left := len(files) - len(kept):
        links = f"{left} link{'s' * (left > 1)}"
        job.report.note(f"{shown}: skipped {links} to files outside of the folder; copy them into it", warning=True)
    return kept
