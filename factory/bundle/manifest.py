"""The manifest of a bundle: what it is, and the digest of every file in it. Light: JSON and hashes only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory import identity
from factory.data.rows import read_json, write_json
from factory.errors import InputError

MANIFEST_SCHEMA = 1
MANIFEST_FILE = "factory/manifest.json"


def write_manifest(bundle: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest over the finished files of a bundle; `digest` covers all of them and the manifest itself."""
    files = identity.digest_folder_files(bundle, without=frozenset({MANIFEST_FILE}))
    sealed = {"schema": MANIFEST_SCHEMA, **facts, "files": files}
    sealed["digest"] = _compute_manifest_digest(sealed)
    write_json(bundle / MANIFEST_FILE, sealed)
    return sealed


def _compute_manifest_digest(manifest: Mapping[str, Any]) -> str:
    return identity.digest_bytes(identity.encode_canonical({k: v for k, v in manifest.items() if k != "digest"}))


def load_manifest(bundle: Path) -> dict[str, Any]:
    """The manifest. Raises InputError when the folder is no bundle, or one of a newer factory."""
    file = bundle / MANIFEST_FILE
    if not file.is_file():
        raise InputError(f"{bundle} is no bundle: it has no {MANIFEST_FILE}")
    manifest = read_json(file)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise InputError(f"{file}: not a manifest")
    schema = manifest.get("schema")
    if schema != MANIFEST_SCHEMA:
        raise InputError(f"{file}: schema {schema!r}; this factory reads {MANIFEST_SCHEMA}, so update it")
    return manifest


def read_bundle_digest(bundle: Path) -> str:
    """What a bundle is known by: it covers every file, the manifest included."""
    return str(load_manifest(bundle).get("digest", ""))


def verify_bundle(bundle: Path) -> list[str]:
    """What is not as it was built, a line each: changed, added and missing files; empty when all is well.

    Raises InputError when the folder is no bundle. Modes and times are not looked at: copying changes them.
    """
    manifest = load_manifest(bundle)
    problems = _check_manifest_digest(bundle / MANIFEST_FILE, manifest)
    said: Mapping[str, str] = manifest["files"]
    paths = (path for path in bundle.rglob("*") if path.is_symlink() or not path.is_dir())
    found = {path.relative_to(bundle).as_posix(): path for path in paths}
    for name in sorted({*said, *found} - {MANIFEST_FILE}):
        if name not in found:
            problems.append(f"{name}: is missing")
        elif name not in said:
            problems.append(f"{name}: was added")
        elif _is_file_changed(found[name], said[name]):
            problems.append(f"{name}: was changed")
    return problems


def _is_file_changed(path: Path, said: str) -> bool:
    """Whether a file differs; one that can not be read does."""
    try:
        return identity.digest_file(path) != said
    except OSError:
        return True


def _check_manifest_digest(file: Path, manifest: Mapping[str, Any]) -> list[str]:
    """The manifest against its own digest, and its bytes against their one form."""
    text = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
    if manifest.get("digest") != _compute_manifest_digest(manifest) or file.read_bytes() != text:
        return [f"{MANIFEST_FILE}: was changed"]
    return []
