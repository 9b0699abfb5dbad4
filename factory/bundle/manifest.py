"""The manifest of a bundle: what it is, and the digest of every file in it. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory import identity
from factory.api import Artifact, Base
from factory.bundle import file_checks
from factory.data.rows import read_json, write_json
from factory.errors import FactoryError, InputError

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
    if file.is_symlink() or (bundle / "factory").is_symlink():
        raise InputError(f"{file}: is a link")
    try:
        manifest: Any = read_json(file)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not a manifest: {type(error).__name__}") from error
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise InputError(f"{file}: not a manifest")
    schema = manifest.get("schema")
    if schema != MANIFEST_SCHEMA:
        raise InputError(f"{file}: schema {schema!r} is not {MANIFEST_SCHEMA}; update specialist-factory to read it")
    return dict(manifest)


def find_manifest(bundle: Path | None) -> dict[str, Any]:
    """Return the manifest of a bundle to show; {} if there is none, or it is damaged or of a newer factory."""
    try:
        return load_manifest(bundle) if bundle else {}
    except (FactoryError, OSError, ValueError):
        return {}


def open_bundle_artifact(bundle: Path, base: Base) -> Artifact:
    """Return the artifact that a bundle carries. Raises InputError if the folder is not a bundle."""
    return Artifact(load_manifest(bundle).get("artifact", "adapter"), bundle, base)  # older ones carry adapters only


def read_bundle_digest(bundle: Path) -> str:
    """Return the digest of a bundle, which covers every file and the manifest."""
    return str(load_manifest(bundle).get("digest", ""))


def verify_bundle(bundle: Path) -> list[str]:
    """List what is wrong with the files of a bundle, a line each; empty if it is intact.

    Files may not be changed, added or missing, and must be of the kinds that bundles have: see `file_checks`. Raises
    InputError if the folder is not a bundle. Modes and times are ignored: copying changes them.
    """
    manifest = load_manifest(bundle)
    problems = [f"{MANIFEST_FILE}: was changed"] if _is_manifest_changed(bundle, manifest) else []
    digests: Mapping[str, str] = manifest["files"]
    problems += file_checks.list_unsafe_names(digests)
    # Links are no folders here: what they lead to is not part of the bundle.
    paths = (path for path in bundle.rglob("*") if path.is_symlink() or not path.is_dir())
    files = {path.relative_to(bundle).as_posix(): path for path in paths}
    for name in sorted({*digests, *files} - {MANIFEST_FILE}):
        if name not in files:
            problems.append(f"{name}: is missing")
        elif name not in digests:
            problems.append(f"{name}: was added")
        elif problem := file_checks.describe_irregular_file(files[name]):  # before it is read: a pipe has no end
            problems.append(f"{name}: {problem}")
        elif _is_file_changed(files[name], digests[name]):
            problems.append(f"{name}: was changed")
        elif problem := file_checks.describe_file_problem(files[name], name):
            problems.append(f"{name}: {problem}")
    return problems or [*_find_adapter_problems(bundle), *_find_evidence_problems(bundle, manifest)]


def _is_manifest_changed(bundle: Path, manifest: Mapping[str, Any]) -> bool:
    # Equal JSON may be written in other bytes, so compare the file with its canonical form as well as the digest.
    try:
        canonical = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
        digest = _compute_manifest_digest(manifest)
    except (ValueError, RecursionError):  # a NaN, or half of a surrogate pair
        return True
    return manifest.get("digest") != digest or (bundle / MANIFEST_FILE).read_bytes() != canonical


def _find_adapter_problems(bundle: Path) -> list[str]:
    """Return what is wrong with the shapes of an adapter, if the bundle carries one."""
    file, config_file = bundle / "adapter_model.safetensors", bundle / "adapter_config.json"
    if not file.is_file() or not config_file.is_file():
        return []
    config, header = read_json(config_file), file_checks.read_tensor_header(file)
    if not isinstance(config, dict) or not isinstance(config.get("rank_pattern") or {}, dict):
        return [f"{config_file.name}: is not the config of an adapter"]
    ranks = {config.get("r"), *(config.get("rank_pattern") or {}).values()}
    shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
    return [f"{file.name}: {problem}" for problem in file_checks.find_shape_problems(shapes, ranks)]


def _find_evidence_problems(bundle: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return where the facts of a manifest and the evidence in the bundle contradict each other."""
    digests, files = manifest.get("digests"), manifest["files"]
    if not isinstance(digests, dict):
        return []
    found = {"golden": files.get("factory/golden.jsonl"), "spec": _compute_json_key(bundle / "factory" / "spec.json")}
    return [
        f"{MANIFEST_FILE}: digests.{name} is not that of the file"
        for name, digest in found.items() if digest and name in digests and digests[name] != digest
    ]


def _compute_json_key(file: Path) -> str:
    return identity.compute_key(read_json(file)) if file.is_file() else ""


def _is_file_changed(path: Path, digest: str) -> bool:
    """Return whether a file differs from its digest; an unreadable one does."""
    try:
        return identity.digest_file(path) != digest
    except OSError:
        return True
