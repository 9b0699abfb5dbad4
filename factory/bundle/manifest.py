"""The manifest of a bundle: what it is, and the digest of every file in it. Light: JSON and hashes only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory import identity
from factory.data.rows import read_json, write_json
from factory.errors import InputError

SCHEMA = 1
FILE = "factory/manifest.json"


def seal(bundle: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest over the finished files of a bundle; `digest` covers all of them and the manifest itself."""
    files = identity.digest_folder_files(bundle, without=frozenset({FILE}))
    sealed = {"schema": SCHEMA, **facts, "files": files}
    sealed["digest"] = _digest(sealed)
    write_json(bundle / FILE, sealed)
    return sealed


def _digest(manifest: Mapping[str, Any]) -> str:
    return identity.digest_bytes(identity.encode_canonical({k: v for k, v in manifest.items() if k != "digest"}))


def load(bundle: Path) -> dict[str, Any]:
    """The manifest. Raises InputError when the folder is no bundle, or one of a newer factory."""
    file = bundle / FILE
    if not file.is_file():
        raise InputError(f"{bundle} is no bundle: it has no {FILE}")
    manifest = read_json(file)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise InputError(f"{file}: not a manifest")
    schema = manifest.get("schema")
    if schema != SCHEMA:
        raise InputError(f"{file}: schema {schema!r}; this factory reads {SCHEMA}, so update it")
    return manifest


def digest(bundle: Path) -> str:
    """What a bundle is known by: it covers every file, the manifest included."""
    return str(load(bundle).get("digest", ""))


def verify(bundle: Path) -> list[str]:
    """What is not as it was built, a line each: changed, added and missing files; empty when all is well.

    Raises InputError when the folder is no bundle. Modes and times are not looked at: copying changes them.
    """
    manifest = load(bundle)
    problems = _self(bundle / FILE, manifest)
    said: Mapping[str, str] = manifest["files"]
    paths = (path for path in bundle.rglob("*") if path.is_symlink() or not path.is_dir())
    found = {path.relative_to(bundle).as_posix(): path for path in paths}
    for name in sorted({*said, *found} - {FILE}):
        if name not in found:
            problems.append(f"{name}: is missing")
        elif name not in said:
            problems.append(f"{name}: was added")
        elif _changed(found[name], said[name]):
            problems.append(f"{name}: was changed")
    return problems


def _changed(path: Path, said: str) -> bool:
    """Whether a file differs; one that can not be read does."""
    try:
        return identity.digest_file(path) != said
    except OSError:
        return True


def _self(file: Path, manifest: Mapping[str, Any]) -> list[str]:
    """The manifest against its own digest, and its bytes against their one form."""
    text = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
    if manifest.get("digest") != _digest(manifest) or file.read_bytes() != text:
        return [f"{FILE}: was changed"]
    return []
