"""Which files make a model folder, and how they get into an output: by content alone, as plain files."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from factory import identity
from factory.errors import InputError, UnavailableError

FOREIGN_FOLDERS = frozenset({"onnx", "openvino", "__pycache__", "coreml", "flax"})
PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".pkl", ".ckpt"})
IGNORED_SUFFIXES = PICKLE_SUFFIXES | {".py", ".pyc", ".h5", ".ot", ".msgpack", ".onnx", ".gguf"}
"""Weights for others, and code: a base is data, and nothing in it is ever run or unpickled."""

MIN_FREE_BYTES = 64 << 20
"""Bytes that stay free on a disk after a base was written to it."""


def is_model_file(name: str) -> bool:
    """Whether a file, by its path inside the model folder, belongs to the model."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and not FOREIGN_FOLDERS.intersection(path.parts) and path.suffix not in IGNORED_SUFFIXES


def list_model_files(folder: Path) -> dict[str, Path]:
    """Relative path → file of all that belongs to the model, links followed, in sorted order.

    Raises InputError when the folder holds no model that can be loaded without unpickling.
    """
    found = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in found}
    check_model_files(named, str(folder))
    return {name: named[name] for name in sorted(named) if is_model_file(name)}


def check_model_files(names: Iterable[str], where: str) -> None:
    """Raise InputError unless these files, relative to the model folder, are a loadable model."""
    here = {name for name in names if not any(part in FOREIGN_FOLDERS for part in PurePosixPath(name).parts)}
    if "config.json" not in here:
        raise InputError(f"{where}: no config.json in it, so it is no model folder")
    safe = {str(PurePosixPath(name).parent) for name in here if name.endswith(".safetensors")}
    pickled = {str(PurePosixPath(name).parent) for name in here if PurePosixPath(name).suffix == ".bin"}
    if "." not in safe or pickled - safe:
        raise InputError(f"{where}: its weights are not safetensors; load and save_pretrained it once to convert them")


def compute_files_digest(files: dict[str, Path]) -> str:
    """What these files are known by: their names and bytes."""
    return identity.digest_bytes(identity.encode_canonical({name: identity.digest_file(path) for name, path in files.items()}))


def check_free_space(folder: Path, size: int) -> None:
    """Raise UnavailableError when so many bytes do not fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if free < size + MIN_FREE_BYTES:
        raise build_disk_full_error(folder, size + MIN_FREE_BYTES)


def build_disk_full_error(folder: Path, size: int = 0) -> UnavailableError:
    """The error of a full disk."""
    needs = f"; {size / 2**20:.0f} MiB are needed" if size else ""
    return UnavailableError(f"no space left on the disk of {folder}{needs}; free some (factory gc) and run again")


def convert_os_error(error: OSError, doing: str) -> UnavailableError:
    """An OSError as one line for a person."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return build_disk_full_error(Path(error.filename or "."))
    return UnavailableError(f"{doing}: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}")


def copy_model_files(files: dict[str, Path], out: Path) -> None:
    """Copy files into a folder. Never a link: what the store holds must not change when its source does."""
    check_free_space(out.parent, sum(path.stat().st_size for path in files.values()))
    for name, path in files.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        os.chmod(target, 0o644)


def read_card_licence(folder: Path) -> str:
    """The licence that a model card states in its metadata, or nothing."""
    card = folder / "README.md"
    if not card.is_file():
        return ""
    text = card.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("---"):
        return ""
    match = re.search(r"^license:[ \t]*[\"']?([\w.+ -]+?)[\"']?[ \t]*$", text.split("\n---", 1)[0], re.MULTILINE)
    return SPDX_SPELLINGS.get(match[1].lower(), match[1]) if match else ""


SPDX_SPELLINGS = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "cc-by-4.0": "CC-BY-4.0"}
"""Hub spelling → SPDX spelling."""
