"""The manifest of a bundle: what it is, and the digest of every file in it. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory import identity
from factory.api import Artifact, Base
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
    """Read the manifest. Raises InputError if the folder is not a bundle, or one of a newer factory."""
    file = bundle / MANIFEST_FILE
    if not file.is_file():
        raise InputError(f"{bundle} is not a bundle: {MANIFEST_FILE} is missing")
    manifest = read_json(file)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise InputError(f"{file}: not a manifest")
    schema = manifest.get("schema")
    if schema != MANIFEST_SCHEMA:
        raise InputError(f"{file}: schema {schema!r} is not {MANIFEST_SCHEMA}; update specialist-factory to read it")
    return manifest


def open_bundle_artifact(bundle: Path, base: Base) -> Artifact:
    """Return the artifact that a bundle carries. Raises InputError if the folder is not a bundle."""
    return Artifact(load_manifest(bundle).get("artifact", "adapter"), bundle, base)  # older ones carry adapters only


def read_bundle_digest(bundle: Path) -> str:
    """Return the digest of a bundle, which covers every file and the manifest."""
    return str(load_manifest(bundle).get("digest", ""))


def verify_bundle(bundle: Path) -> list[str]:
    """List the changed, added and missing files of a bundle, a line each; empty if it is intact.

    Raises InputError if the folder is not a bundle. Modes and times are ignored: copying changes them.
    """
    manifest = load_manifest(bundle)
    # Equal JSON may be written in other bytes, so compare the file with its canonical form as well as the digest.
    canonical = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
    is_changed = manifest.get("digest") != _compute_manifest_digest(manifest)
    is_changed = is_changed or (bundle / MANIFEST_FILE).read_bytes() != canonical
    problems = [f"{MANIFEST_FILE}: was changed"] if is_changed else []
    digests: Mapping[str, str] = manifest["files"]
    paths = (path for path in bundle.rglob("*") if path.is_symlink() or not path.is_dir())
    files = {path.relative_to(bundle).as_posix(): path for path in paths}
    for name in sorted({*digests, *files} - {MANIFEST_FILE}):
        if name not in files:
            problems.append(f"{name}: is missing")
        elif name not in digests:
            problems.append(f"{name}: was added")
        elif _is_file_changed(files[name], digests[name]):
            problems.append(f"{name}: was changed")
    return problems


def _is_file_changed(path: Path, digest: str) -> bool:
    """Return whether a file differs from its digest; an unreadable one does."""
    try:
        return identity.digest_file(path) != digest
    except OSError:
        return True
