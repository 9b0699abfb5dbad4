"""All hashing of the project: keys of JSON values, digests of bytes, files and folders.

Canonical JSON follows RFC 8785 for the types that occur here: sorted keys, no white space, UTF-8, and neither NaN nor
infinity, which JSON does not have.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

KEY_LENGTH = 32
CANONICAL_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def encode_canonical(value: Any) -> bytes:
    """Encode a value as canonical JSON. Raises TypeError or ValueError if JSON cannot represent it."""
    return CANONICAL_ENCODER.encode(value).encode()


def compute_key(value: Any) -> str:
    """Return the content address of a JSON value: the first 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(encode_canonical(value)).hexdigest()[:KEY_LENGTH]


def digest_bytes(data: bytes) -> str:
    """Return the full SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's content; its name and times do not matter."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_folder_files(folder: Path, without: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return relative path → digest for every file below a folder, in sorted order."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    named = ((p.relative_to(folder).as_posix(), p) for p in files)
    return {name: digest_file(path) for name, path in named if name not in without}


def digest_path(path: Path) -> str:
    """Return the digest of a file's content, or of the names and contents of all files below a folder."""
    if path.is_dir():
        return digest_bytes(encode_canonical(digest_folder_files(path)))
    return digest_file(path)
