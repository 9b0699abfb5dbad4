"""Checkpoints that a kill can not spoil: complete ones carry a seal, written last; torn ones are set aside."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from factory import identity
from factory.api import Reporter

SEAL_FILE = "complete.json"
TORN_FOLDER = "torn"


def seal_checkpoint(checkpoint: Path) -> None:
    """Mark a checkpoint complete: sync its files, then write their digests."""
    digests = identity.digest_folder_files(checkpoint)
    for name in digests:
        with (checkpoint / name).open("rb") as file:
            os.fsync(file.fileno())
    spare = checkpoint / f"{SEAL_FILE}.new"
    spare.write_text(json.dumps(digests, sort_keys=True))
    with spare.open("rb") as file:
        os.fsync(file.fileno())
    spare.rename(checkpoint / SEAL_FILE)


def find_newest_checkpoint(folder: Path, report: Reporter) -> Path | None:
    """The newest complete checkpoint below a folder; torn ones are moved to `torn/` and named in a note."""
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=_parse_checkpoint_step, reverse=True):
        if is_checkpoint_complete(checkpoint):
            return checkpoint
        grave = folder / TORN_FOLDER / checkpoint.name
        shutil.rmtree(grave, ignore_errors=True)
        grave.parent.mkdir(exist_ok=True)
        checkpoint.rename(grave)
        report.note(f"{checkpoint.name} is torn; it is set aside in {TORN_FOLDER}/, the one before is taken", warning=True)
    return None


def is_checkpoint_complete(checkpoint: Path) -> bool:
    """Whether every file that the seal names is there with the bytes it had."""
    try:
        sealed = json.loads((checkpoint / SEAL_FILE).read_text())
    except (OSError, ValueError):
        return False
    return bool(sealed == identity.digest_folder_files(checkpoint, frozenset({SEAL_FILE})))


def _parse_checkpoint_step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1
