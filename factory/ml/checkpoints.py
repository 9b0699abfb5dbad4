"""Crash-safe checkpoints of trainable parameters: a complete one has a seal, written last; incomplete ones are moved
aside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from factory import identity
from factory.api import Reporter
from factory.store.fsync import fsync_path

SEAL_FILE = "complete.json"
TORN_FOLDER = "torn"


def collect_trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trainable parameters by name: A and B of each layer, and those of the saved modules."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def save_trainable_parameters(model: nn.Module, file: Path) -> None:
    """Write the trainable parameters of a model."""
    save_file({name: value.detach() for name, value in collect_trainable_parameters(model).items()}, file)


def load_trainable_parameters(model: nn.Module, file: Path) -> None:
    """Read the trainable parameters of a model, in place."""
    saved = load_file(file)
    for name, parameter in collect_trainable_parameters(model).items():
        parameter.data.copy_(saved[name])


def seal_checkpoint(checkpoint: Path) -> None:
    """Mark a checkpoint complete: fsync its files, then write a seal with their digests."""
    digests = identity.digest_folder_files(checkpoint)
    for name in digests:
        fsync_path(checkpoint / name)
    temporary = checkpoint / f"{SEAL_FILE}.new"
    temporary.write_text(json.dumps(digests, sort_keys=True))
    fsync_path(temporary)
    temporary.rename(checkpoint / SEAL_FILE)


def find_newest_checkpoint(folder: Path, report: Reporter) -> Path | None:
    """Return the newest complete checkpoint; move newer incomplete ones to `torn/`, with a warning."""
    # By length, then by name: checkpoint-1000 is newer than checkpoint-200.
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=lambda path: (len(path.name), path.name), reverse=True):
        if is_checkpoint_complete(checkpoint):
            return checkpoint
        destination = folder / TORN_FOLDER / checkpoint.name
        shutil.rmtree(destination, ignore_errors=True)
        destination.parent.mkdir(exist_ok=True)
        checkpoint.rename(destination)
        text = f"{checkpoint.name} is incomplete and was moved to {TORN_FOLDER}/; using an earlier one"
        report.note(text, warning=True)
    return None


def is_checkpoint_complete(checkpoint: Path) -> bool:
    """Return whether a checkpoint has a seal whose digests match its files."""
    try:
        sealed = json.loads((checkpoint / SEAL_FILE).read_text())
    except (OSError, ValueError):
        return False
    return bool(sealed == identity.digest_folder_files(checkpoint, frozenset({SEAL_FILE})))
