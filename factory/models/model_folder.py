"""The files of a model folder: selecting, checking, digesting and copying them."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from factory import identity
from factory.errors import InputError, UnavailableError

FOREIGN_FOLDERS = frozenset({"onnx", "openvino", "__pycache__", "coreml", "flax"})
IGNORED_SUFFIXES = frozenset(
    {".bin", ".pt", ".pth", ".pkl", ".ckpt", ".py", ".pyc", ".h5", ".ot", ".msgpack", ".onnx", ".gguf"}
)
"""Files of other frameworks, pickles and code: nothing in a base is ever executed or unpickled."""

MAX_FOLDER_ENTRIES = 10_000
"""Files and folders below a model folder."""

MIN_FREE_BYTES = 64 << 20
"""Bytes that must remain free on the disk after a base is written."""


def is_model_file(name: str) -> bool:
    """Return whether a path inside a model folder belongs to the model."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and not FOREIGN_FOLDERS.intersection(path.parts) and path.suffix not in IGNORED_SUFFIXES


def list_model_files(folder: Path) -> dict[str, Path]:
    """Return {relative path: file} of the model's files, links followed, in sorted order.

    Raises InputError when the folder has no model that can be loaded without unpickling.
    """
    if not (folder / "config.json").is_file():
        check_model_files([], str(folder))  # said at once: the folder may be a whole disk
    files = {path.relative_to(folder).as_posix(): path for path in _walk_files(folder)}
    check_model_files(files, str(folder))
    return {name: files[name] for name in sorted(files) if is_model_file(name)}


def list_outside_links(folder: Path) -> list[Path]:
    """Return the targets of links in a model folder that lie outside of it.

    A snapshot of the hub's cache consists of links to the `blobs` beside it, which belong to the model.
    """
    if not (folder / "config.json").is_file():
        return []
    inside = folder.resolve()
    blobs = inside.parent.parent / "blobs"
    targets = [path.resolve() for path in _walk_files(folder) if path.is_symlink()]
    return sorted({path for path in targets if not path.is_relative_to(inside) and not path.is_relative_to(blobs)})


def _walk_files(folder: Path) -> Iterator[Path]:
    """Yield the regular files below a folder. Raises InputError if there are too many for a model."""
    for number, path in enumerate(folder.rglob("*")):
        if number >= MAX_FOLDER_ENTRIES:
            raise InputError(f"{folder}: more than {MAX_FOLDER_ENTRIES:,} files, so it is not a folder of one model")
        if path.is_file():
            yield path


def check_model_files(names: Iterable[str], where: str) -> None:
    """Raise InputError unless these paths, relative to the model folder, are a loadable model."""
    relevant = {name for name in names if not any(part in FOREIGN_FOLDERS for part in PurePosixPath(name).parts)}
    if "config.json" not in relevant:
        raise InputError(f"{where}: no config.json, so it is not a model folder")
    # A part in its own folder (such as 2_Dense) may be pickled although the transformer is not.
    safe = {str(PurePosixPath(name).parent) for name in relevant if name.endswith(".safetensors")}
    pickled = {str(PurePosixPath(name).parent) for name in relevant if PurePosixPath(name).suffix == ".bin"}
    if "." not in safe or pickled - safe:
        raise InputError(f"{where}: weights are not safetensors; load the model and save_pretrained it to convert them")


def compute_files_digest(files: dict[str, Path]) -> str:
    """Return the digest of these files' names and bytes."""
    digests = {name: identity.digest_file(path) for name, path in files.items()}
    return identity.digest_bytes(identity.encode_canonical(digests))


def check_free_space(folder: Path, size: int) -> None:
    """Raise UnavailableError when `size` bytes do not fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if free < size + MIN_FREE_BYTES:
        raise build_disk_full_error(folder, size + MIN_FREE_BYTES)


def build_disk_full_error(folder: Path, size: int = 0) -> UnavailableError:
    """Return the error of a full disk, with the bytes needed if known."""
    needs = f"; {size / 2**20:.0f} MiB needed" if size else ""
    return UnavailableError(f"no space left on the disk of {folder}{needs}; free some with `factory gc` and run again")


def convert_os_error(error: OSError, failure: str) -> UnavailableError:
    """Return an OSError as a one-line UnavailableError, which starts with what failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return build_disk_full_error(Path(error.filename or "."))
    return UnavailableError(f"{failure}: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}")


def copy_model_files(files: dict[str, Path], out: Path) -> None:
    """Copy files rather than link them: stored outputs must not change with their source."""
    check_free_space(out.parent, sum(path.stat().st_size for path in files.values()))
    for name, path in files.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        os.chmod(target, 0o644)


def read_card_licence(folder: Path) -> str:
    """Return the licence in the metadata of a model card; empty when it states none."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    if not text.startswith("---"):
        return ""
    match = re.search(r"^license:[ \t]*[\"']?([\w.+ -]+?)[\"']?[ \t]*$", text.split("\n---", 1)[0], re.MULTILINE)
    return SPDX_SPELLINGS.get(match[1].lower(), match[1]) if match else ""


SPDX_SPELLINGS = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "cc-by-4.0": "CC-BY-4.0"}
"""SPDX identifiers of the hub's lower-case spellings."""
