"""The only hashing in the project: canonical JSON to a key, bytes and folders to a digest.

Values are canonicalised as RFC 8785 does for the types that occur here: sorted keys, no white space,
UTF-8, and no NaN or infinity, which have no JSON form.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

KEY_LENGTH = 32
CANONICAL_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def encode_canonical(value: Any) -> bytes:
    """The one byte form of a JSON value. Raises TypeError or ValueError for what JSON can not say."""
    return CANONICAL_ENCODER.encode(value).encode()


def compute_key(value: Any) -> str:
    """The content address of a JSON value: 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(encode_canonical(value)).hexdigest()[:KEY_LENGTH]


def digest_bytes(data: bytes) -> str:
    """The full SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """The SHA-256 of a file's content; its name and times play no part."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_folder_files(folder: Path, without: frozenset[str] = frozenset()) -> dict[str, str]:
    """Relative path → digest for every file below a folder, in sorted order."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    named = ((p.relative_to(folder).as_posix(), p) for p in files)
    return {name: digest_file(path) for name, path in named if name not in without}


def digest_path(path: Path) -> str:
    """The digest of a file's bytes, or of the names and bytes of all files below a folder."""
    if path.is_dir():
        return digest_bytes(encode_canonical(digest_folder_files(path)))
    return digest_file(path)
