"""Assemble a bundle from the outputs of earlier stages. Equal inputs give equal bytes: no times, paths or set order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from factory import __version__, identity
from factory.api import Artifact, Row, Tables
from factory.bundle import golden, model_card
from factory.bundle.file_checks import SCRIPT_SUFFIX, TEXT_NAMES, TEXT_SUFFIXES
from factory.bundle.manifest import write_manifest
from factory.data.rows import read_json, write_json
from factory.errors import FactoryError
from factory.store.fsync import get_file_mode

RECORDED_PACKAGES = ("peft", "safetensors", "sentence-transformers", "tokenizers", "torch", "transformers")
TOKENIZER_PREFIXES = (
    "tokenizer", "vocab", "merges", "special_tokens_map", "added_tokens", "chat_template", "spiece", "sentencepiece",
)
"""Prefixes of the file names of a tokenizer."""
RESERVED_PATHS = frozenset({"README.md", "LICENSES.md", "exports", "factory"})
"""Files and folders that the factory writes: an artifact's own, such as the card of a library, are left out."""
LIBRARY_CONFIG = "config.json"
"""End of the names of files in which libraries write the path that they loaded a model from."""


@dataclass(frozen=True, slots=True)
class BundleInputs:
    """The outputs of earlier stages that a bundle records. `task` and `objective` are facts about those plugins.

    `base` to `gate` are the JSON files of those stages; `model` is the folder of the base. `delivered` says which
    contender the bundle carries and why; it is empty for tuned that ships.
    """

    name: str
    task: Mapping[str, Any]
    objective: Mapping[str, Any]
    settings: Mapping[str, Any]
    templates: Mapping[str, str]
    spec: Mapping[str, Any]
    tuned: str
    model: Path
    artifact: Artifact
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
    delivered: Mapping[str, Any] = field(default_factory=dict)

    steps: Sequence[Mapping[str, Any]] = ()
    """Of a training course: objective and training of each step, and of rows of its own `data` and `leakage`."""

    @property
    def is_trained(self) -> bool:
        """Whether the bundle carries what training made, and not what another contender exported."""
        return bool(self.delivered.get("contender", self.tuned) == self.tuned)


def copy_artifact_files(bundle: Path, artifact: Artifact) -> None:
    """Copy the artifact to the bundle; the objective adds what a plain library needs besides."""
    for name in _list_artifact_files(artifact):
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.folder / name, bundle / name)


def _list_artifact_files(artifact: Artifact) -> list[str]:
    """Return the files of an artifact that go into a bundle, by path."""
    names = (path.relative_to(artifact.folder) for path in artifact.folder.rglob("*") if path.is_file())
    return sorted(name.as_posix() for name in names if name.parts[0] not in RESERVED_PATHS)


def _count_artifact_bytes(artifact: Artifact) -> int:
    return sum((artifact.folder / name).stat().st_size for name in _list_artifact_files(artifact))


def write_bundle_evidence(
    bundle: Path, evidence: BundleInputs, rows: Iterable[Row], tables: Tables, answers: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the evidence and return the content of the manifest. Call it after the objective has added its files."""
    if evidence.artifact.kind == "adapter":
        _canonicalise_adapter_config(bundle / "adapter_config.json", str(evidence.base["id"]))
    if evidence.is_trained:  # else the base is used as it is, its tokenizer included
        _copy_base_tokenizer(bundle, evidence.model)
    golden.write_golden(bundle, list(rows), tables, answers)
    renderer = identity.compute_key(dict(evidence.templates))
    write_json(bundle / "factory" / "renderer.json", {"templates": dict(evidence.templates), "digest": renderer})
    write_json(bundle / "factory" / "gate.json", dict(evidence.gate))
    write_json(bundle / "factory" / "spec.json", dict(evidence.spec))
    write_json(bundle / "factory" / "leakage.json", {
        "proof": evidence.curate.get("leakage", {}), "funnel": evidence.curate.get("funnel", []),
        **{name: evidence.freeze[name] for name in ("counts", "groups", "digests")},
        **({"steps": proofs} if (proofs := _map_step_proofs(evidence.steps)) else {}),
    })
    return _build_manifest(bundle, evidence, renderer)


def _map_step_proofs(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the number of each step with rows of its own → the proof that none of them leaks."""
    return {str(number): step["leakage"] for number, step in enumerate(steps, 1) if "leakage" in step}


def finish_bundle(
    bundle: Path, evidence: BundleInputs, manifest: Mapping[str, Any], private: Iterable[Path],
    told: Collection[Path] = (),
) -> dict[str, Any]:
    """Write the card, the licence notes and the manifest, which seals the bundle: nothing may be added afterwards.

    Raises FactoryError if a file contains the path of a `private` folder: a bundle must not depend on a machine. Paths
    of `told` occur in rows or in the spec, and so may in all files but the configs that libraries write.
    """
    card = model_card.render_model_card(manifest, evidence.score, evidence.gather)
    licences = model_card.render_licence_notes(
        evidence.base, evidence.gather, evidence.curate, evidence.artifact.kind
    )
    (bundle / "README.md").write_text(card, encoding="utf-8")
    (bundle / "LICENSES.md").write_text(licences, encoding="utf-8")
    for path in sorted(bundle.rglob("*")):
        if path.is_file():
            path.chmod(get_file_mode())
            is_config = path.name.endswith(LIBRARY_CONFIG) and path.parent == bundle
            _require_no_private_path(path, bundle, [p for p in private if is_config or p not in told])
    return write_manifest(bundle, manifest)


def _canonicalise_adapter_config(file: Path, base: str) -> None:
    """Rewrite the adapter's config in one form: PEFT writes sets in hash order, a local path, and training mode."""
    config = json.loads(file.read_text())
    config.update(base_model_name_or_path=base, revision=None, inference_mode=True)
    for name, value in config.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            config[name] = sorted(set(value))
    file.write_text(json.dumps(config, sort_keys=True, indent=2) + "\n")


def _is_tokenizer_file(name: str) -> bool:
    return "/" not in name and name.startswith(TOKENIZER_PREFIXES)


def _copy_base_tokenizer(bundle: Path, model: Path) -> None:
    """Copy the tokenizer of the base, unless the objective wrote its own."""
    if any(_is_tokenizer_file(path.name) for path in bundle.iterdir()):
        return
    for path in sorted(model.iterdir()):
        if path.is_file() and _is_tokenizer_file(path.name):
            shutil.copyfile(path, bundle / path.name)


def _build_manifest(bundle: Path, evidence: BundleInputs, renderer: str) -> dict[str, Any]:
    files = identity.digest_folder_files(bundle)
    tokenizer = {name: digest for name, digest in files.items() if _is_tokenizer_file(name)}
    config = read_json(evidence.model / "config.json")
    artifact = identity.compute_key({name: files[name] for name in _list_artifact_files(evidence.artifact)})
    return {
        "name": evidence.name, "task": dict(evidence.task), **evidence.objective, **evidence.settings,
        "base": dict(evidence.base), "architecture": (config.get("architectures") or [""])[0],
        "digests": {
            "base": evidence.base["digest"], "tokenizer": identity.compute_key(tokenizer), "data": dict(evidence.data),
            "spec": identity.compute_key(dict(evidence.spec)), "renderer": renderer,
            "golden": files[golden.GOLDEN_FILE], "artifact": artifact,
        },
        "rows": dict(evidence.freeze["counts"]), "leakage": evidence.curate.get("leakage", {}),
        "modules": evidence.train["modules"], "training": dict(evidence.train), "tuned": evidence.tuned,
        "gate": dict(evidence.gate), "targets": list(evidence.targets), "packages": _list_package_versions(),
        **({"review": dict(evidence.review)} if evidence.review else {}),
        **({"delivered": {**evidence.delivered, "bytes": _count_artifact_bytes(evidence.artifact)}}
           if evidence.delivered else {}),
        **({"steps": [dict(step) for step in evidence.steps]} if evidence.steps else {}),
        **({"facts": facts} if (facts := evidence.spec.get("data", {}).get("facts")) else {}),
    }


def _list_package_versions() -> dict[str, str]:
    versions = {"specialist-factory": __version__}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = ""
    return versions


def _require_no_private_path(path: Path, bundle: Path, private: Iterable[Path]) -> None:
    if path.suffix not in TEXT_SUFFIXES | {SCRIPT_SUFFIX} and path.name not in TEXT_NAMES:
        return
    data = path.read_bytes()
    for folder in private:
        if str(folder).encode() in data:
            raise FactoryError(
                f"{path.relative_to(bundle)} contains the path {folder}; a bundle must not depend on this machine"
            )
