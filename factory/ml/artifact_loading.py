"""Finds the files that the loaders need for a base and an artifact."""

from __future__ import annotations

from pathlib import Path

from factory.api import Artifact, Base


def locate_model_files(base: Base, artifact: Artifact | None) -> tuple[Path, Path | None]:
    """Return the model folder to load, and the folder of the adapter to merge into it, if there is one.

    Raises ValueError for an artifact of another base, or of a kind that only its objective can load.
    """
    if artifact is None:
        return base.folder, None
    if artifact.base.digest != base.digest:
        raise ValueError(f"the artifact was trained from {artifact.base.id}, not from {base.id}; give it its own base")
    if artifact.kind == "weights":
        return artifact.folder, None
    if artifact.kind == "adapter":
        return base.folder, artifact.folder
    raise ValueError(f"the kit loads adapters and whole weights; the objective must load the {artifact.kind!r} itself")
