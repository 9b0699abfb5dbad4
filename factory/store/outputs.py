"""Content-addressed folders. Presence means complete: a folder appears by one rename, after its bytes are on disk."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.store.fsync import fsync_path

OUTPUT_FOLDER, META_FILE = "output", "stage.json"


@dataclass(frozen=True, slots=True)
class StageOutput:
    """Where one stage's output stands, whether it is there or not."""

    root: Path
    kind: str
    key: str

    @property
    def final_folder(self) -> Path:
        return self.root / self.kind / self.key

    @property
    def output(self) -> Path:
        """The folder that the stage wrote."""
        return self.final_folder / OUTPUT_FOLDER

    @property
    def work_folder(self) -> Path:
        """The unfinished folder beside the final one; it survives a kill, so that a stage can resume."""
        return self.root / self.kind / f"{self.key}.part"

    @property
    def is_complete(self) -> bool:
        return (self.final_folder / META_FILE).is_file()

    def read_meta(self) -> dict[str, Any]:
        """What the engine knew when the stage finished. Raises FileNotFoundError when it has not."""
        loaded: dict[str, Any] = json.loads((self.final_folder / META_FILE).read_text())
        return loaded


@dataclass(frozen=True, slots=True)
class Store:
    """All outputs below one home folder."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "store"

    def locate_output(self, stage: str, key: str) -> StageOutput:
        """The place of a stage by its name and key; `answer[bm25]` lies with its kind, `answer`."""
        return StageOutput(self.root, stage.partition("[")[0], key)

    def iter_complete_outputs(self) -> Iterator[StageOutput]:
        """Every complete output."""
        for meta in sorted(self.root.glob(f"*/*/{META_FILE}")):
            if not meta.parent.suffix:
                yield StageOutput(self.root, meta.parent.parent.name, meta.parent.name)

    @contextmanager
    def lock_output(self, place: StageOutput, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold a place against every other builder; `waiting` is called once when another one has it.

        The lock dies with the process, so a kill leaves none behind.
        """
        place.work_folder.parent.mkdir(parents=True, exist_ok=True)
        with (place.work_folder.parent / f"{place.key}.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def begin(self, place: StageOutput) -> Path:
        """A fresh folder to write the output to. What an earlier try left is dropped, but for its `work` folder."""
        fresh = place.work_folder / OUTPUT_FOLDER
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        (place.work_folder / "work").mkdir(exist_ok=True)
        return fresh

    def commit(self, place: StageOutput, meta: Mapping[str, Any]) -> None:
        """Make a finished folder appear: sync its bytes, then rename. Until then a kill costs no checkpoint."""
        resumable, grave = place.work_folder / "work", place.final_folder.with_name(f"{place.key}.gone")
        (place.work_folder / META_FILE).write_text(json.dumps(meta, sort_keys=True, indent=1) + "\n")
        for path in sorted({place.work_folder / META_FILE, place.work_folder / OUTPUT_FOLDER, *(place.work_folder / OUTPUT_FOLDER).rglob("*")}):
            if path.is_file() and not path.is_symlink():
                path.chmod(0o644)
            fsync_path(path)
        fsync_path(place.work_folder)
        shutil.rmtree(place.final_folder, ignore_errors=True)
        shutil.rmtree(grave, ignore_errors=True)
        if resumable.exists():
            resumable.rename(grave)
        place.work_folder.rename(place.final_folder)
        fsync_path(place.final_folder.parent)
        shutil.rmtree(grave, ignore_errors=True)

    def forget(self, place: StageOutput) -> None:
        """Drop an output, complete or not. The rename makes a kill half-way harmless."""
        if place.final_folder.exists():
            grave = place.final_folder.with_name(f"{place.key}.gone")
            shutil.rmtree(grave, ignore_errors=True)
            place.final_folder.rename(grave)
            shutil.rmtree(grave)
        shutil.rmtree(place.work_folder, ignore_errors=True)
