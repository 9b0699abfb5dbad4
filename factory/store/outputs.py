"""Content-addressed output folders. A folder that exists is complete: it appears by a rename after its fsync."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.store.fsync import fsync_path, get_file_mode

OUTPUT_FOLDER, META_FILE = "output", "stage.json"
DIGESTS = "digests"
"""Field of `stage.json` with what `factory.store.integrity` checks."""
DAMAGED_SUFFIX = ".damaged"
"""Of the folder to which a damaged output is moved, beside the one that takes its place."""


@dataclass(frozen=True, slots=True)
class StageOutput:
    """The location of one stage's output, which need not exist."""

    root: Path
    kind: str
    key: str

    @property
    def final_folder(self) -> Path:
        return self.root / self.kind / self.key

    @property
    def output(self) -> Path:
        """The folder that the stage has written."""
        return self.final_folder / OUTPUT_FOLDER

    @property
    def work_folder(self) -> Path:
        """The unfinished folder next to the final one; it survives a kill, so that the stage can resume."""
        return self.root / self.kind / f"{self.key}.part"

    @property
    def is_complete(self) -> bool:
        return (self.final_folder / META_FILE).is_file()

    def read_meta(self) -> dict[str, Any]:
        """Return what the engine wrote on completion, without digests. Raises FileNotFoundError if there is none."""
        loaded: dict[str, Any] = json.loads((self.final_folder / META_FILE).read_text())
        return {name: value for name, value in loaded.items() if name != DIGESTS}


@dataclass(frozen=True, slots=True)
class Store:
    """All stage outputs below one home folder."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "store"

    def locate_output(self, stage: str, key: str) -> StageOutput:
        """Return the location for a stage's name and key; `answer[bm25]` is stored under its kind, `answer`."""
        return StageOutput(self.root, stage.partition("[")[0], key)

    def iter_complete_outputs(self) -> Iterator[StageOutput]:
        """Yield every complete output."""
        for meta in sorted(self.root.glob(f"*/*/{META_FILE}")):
            if not meta.parent.suffix:
                yield StageOutput(self.root, meta.parent.parent.name, meta.parent.name)

    @contextmanager
    def lock_output(self, output: StageOutput, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold an exclusive lock on an output; `waiting` is called once if another process holds it.

        The kernel releases the lock when the process ends, so a kill leaves no stale lock.
        """
        output.work_folder.parent.mkdir(parents=True, exist_ok=True)
        with (output.work_folder.parent / f"{output.key}.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def begin(self, output: StageOutput) -> Path:
        """Create an empty folder for the output, deleting an earlier attempt except for its `work` folder."""
        fresh = output.work_folder / OUTPUT_FOLDER
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        (output.work_folder / "work").mkdir(exist_ok=True)
        return fresh

    def commit(self, output: StageOutput, meta: Mapping[str, Any]) -> None:
        """Publish a finished output: fsync its files, then rename the folder to its final name.

        `meta` is what `stage.json` holds, with the digests of the files (`integrity.seal_meta`).
        """
        checkpoints, trash = output.work_folder / "work", output.final_folder.with_name(f"{output.key}.gone")
        meta_file, written = output.work_folder / META_FILE, output.work_folder / OUTPUT_FOLDER
        meta_file.write_text(json.dumps(meta, sort_keys=True, indent=1) + "\n")
        for path in sorted({meta_file, written, *written.rglob("*")}):
            if path.is_file() and not path.is_symlink():
                path.chmod(get_file_mode())  # libraries write some files with modes of their own
            fsync_path(path)
        fsync_path(output.work_folder)
        shutil.rmtree(output.final_folder, ignore_errors=True)
        shutil.rmtree(trash, ignore_errors=True)
        # Checkpoints are moved away only now: a kill at any earlier point can still resume from them.
        if checkpoints.exists():
            checkpoints.rename(trash)
        output.work_folder.rename(output.final_folder)
        fsync_path(output.final_folder.parent)
        shutil.rmtree(trash, ignore_errors=True)

    def set_aside(self, output: StageOutput) -> Path:
        """Move a damaged output out of the way, and return where it lies until `factory gc` deletes it."""
        aside = output.final_folder.with_name(f"{output.key}{DAMAGED_SUFFIX}")
        shutil.rmtree(aside, ignore_errors=True)
        output.final_folder.rename(aside)
        fsync_path(aside.parent)
        return aside

    def forget(self, output: StageOutput) -> None:
        """Delete an output, complete or not."""
        if output.final_folder.exists():
            # Rename first: a kill during the deletion must not leave a damaged folder that looks complete.
            trash = output.final_folder.with_name(f"{output.key}.gone")
            shutil.rmtree(trash, ignore_errors=True)
            output.final_folder.rename(trash)
            shutil.rmtree(trash)
        shutil.rmtree(output.work_folder, ignore_errors=True)
