"""Lay a bundle out from what the stages before wrote. Equal inputs, equal bytes: no time, path or set order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from factory import __version__, identity
from factory.api import Row, Tables
from factory.bundle import card, golden, licences
from factory.bundle.manifest import seal
from factory.data.rows import read_json, write_json
from factory.errors import FactoryError

LIBRARIES = ("peft", "safetensors", "sentence-transformers", "tokenizers", "torch", "transformers")
TOKENIZER = (
    "tokenizer", "vocab", "merges", "special_tokens_map", "added_tokens", "chat_template", "spiece", "sentencepiece",
)
"""How the names of a tokenizer's files begin."""
TEXTS = frozenset({".json", ".jsonl", ".md", ".txt", ".jinja", ".sh"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a bundle tells, as the stages left it. `task` and `objective` are facts about those plugins.

    `base` … `gate` are the JSON files of those stages; `model` is the folder of the base, `adapter` that of training.
    """

    name: str
    task: Mapping[str, Any]
    objective: Mapping[str, Any]
    settings: Mapping[str, Any]
    templates: Mapping[str, str]
    spec: Mapping[str, Any]
    tuned: str
    model: Path
    adapter: Path
    base: Mapping[str, Any]
    gather: Mapping[str, Any]
    freeze: Mapping[str, Any]
    curate: Mapping[str, Any]
    train: Mapping[str, Any]
    score: Mapping[str, Any]
    gate: Mapping[str, Any]
    data: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    review: Mapping[str, Any] = field(default_factory=dict)


def prepare(bundle: Path, evidence: Evidence) -> None:
    """Copy the adapter to the bundle; what a plain library needs beside it is the objective's to add."""
    bundle.mkdir(parents=True, exist_ok=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (evidence.adapter / name).is_file():
            raise FactoryError(f"training left no {name}")
        shutil.copyfile(evidence.adapter / name, bundle / name)


def facts(
    bundle: Path, evidence: Evidence, rows: Iterable[Row], tables: Tables, answers: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the evidence, and return what the manifest says. Call it when the objective has laid its files out."""
    _canonical_adapter(bundle / "adapter_config.json", str(evidence.base["id"]))
    _tokenizer(bundle, evidence.model)
    golden.write_golden(bundle, list(rows), tables, answers)
    renderer = identity.compute_key(dict(evidence.templates))
    write_json(bundle / "factory" / "renderer.json", {"templates": dict(evidence.templates), "digest": renderer})
    write_json(bundle / "factory" / "gate.json", dict(evidence.gate))
    write_json(bundle / "factory" / "leakage.json", _leakage(evidence))
    write_json(bundle / "factory" / "spec.json", dict(evidence.spec))
    return _manifest(bundle, evidence, renderer)


def finish(bundle: Path, evidence: Evidence, manifest: Mapping[str, Any], private: Iterable[Path]) -> dict[str, Any]:
    """Write the card and the licence notes, then seal: nothing may be added after this.

    Raises FactoryError when a file names one of the `private` folders, for a bundle must not depend on a machine.
    """
    (bundle / "README.md").write_text(card.card(manifest, evidence.score, evidence.gather), encoding="utf-8")
    terms = licences.notes(evidence.base, evidence.gather, evidence.curate)
    (bundle / "LICENSES.md").write_text(terms, encoding="utf-8")
    for path in sorted(bundle.rglob("*")):
        if path.is_file():
            path.chmod(0o644)
            _anonymous(path, bundle, private)
    return seal(bundle, manifest)


def _canonical_adapter(file: Path, base: str) -> None:
    """The adapter's config in one form: peft writes sets in hash order, a local path, and training mode."""
    config = json.loads(file.read_text())
    config.update(base_model_name_or_path=base, revision=None, inference_mode=True)
    for name, value in config.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            config[name] = sorted(set(value))
    file.write_text(json.dumps(config, sort_keys=True, indent=2) + "\n")


def _is_tokenizer(name: str) -> bool:
    return "/" not in name and name.startswith(TOKENIZER)


def _tokenizer(bundle: Path, model: Path) -> None:
    """The base's tokenizer, where the objective brought none of its own."""
    if any(_is_tokenizer(path.name) for path in bundle.iterdir()):
        return
    for path in sorted(model.iterdir()):
        if path.is_file() and _is_tokenizer(path.name):
            shutil.copyfile(path, bundle / path.name)


def _leakage(evidence: Evidence) -> dict[str, Any]:
    return {
        "proof": evidence.curate.get("leakage", {}), "funnel": evidence.curate.get("funnel", []),
        "counts": evidence.freeze["counts"], "groups": evidence.freeze["groups"], "digests": evidence.freeze["digests"],
    }


def _manifest(bundle: Path, evidence: Evidence, renderer: str) -> dict[str, Any]:
    files = identity.digest_folder_files(bundle)
    tokenizer = {name: digest for name, digest in files.items() if _is_tokenizer(name)}
    config = read_json(evidence.model / "config.json")
    return {
        "name": evidence.name, "task": dict(evidence.task), **evidence.objective, **evidence.settings,
        "base": dict(evidence.base), "architecture": (config.get("architectures") or [""])[0],
        "digests": {
            "base": evidence.base["digest"], "tokenizer": identity.compute_key(tokenizer), "data": dict(evidence.data),
            "spec": identity.compute_key(dict(evidence.spec)), "renderer": renderer, "golden": files[golden.FILE],
            "adapter": files["adapter_model.safetensors"],
        },
        "rows": dict(evidence.freeze["counts"]), "leakage": evidence.curate.get("leakage", {}),
        "modules": evidence.train["modules"], "training": dict(evidence.train), "tuned": evidence.tuned,
        "gate": dict(evidence.gate), "targets": list(evidence.targets), "packages": _packages(),
        **({"review": dict(evidence.review)} if evidence.review else {}),
        **({"facts": facts} if (facts := evidence.spec.get("data", {}).get("facts")) else {}),
    }


def _packages() -> dict[str, str]:
    found = {"specialist-factory": __version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def _anonymous(path: Path, bundle: Path, private: Iterable[Path]) -> None:
    if path.suffix not in TEXTS:
        return
    data = path.read_bytes()
    for folder in private:
        if str(folder).encode() in data:
            raise FactoryError(f"{path.relative_to(bundle)} names {folder}: a bundle must not depend on this machine")
