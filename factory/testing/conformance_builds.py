"""A real build with one plugin: worker, stages, verdict, and a second build that must be fully cached."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory import identity
from factory.api import Contender, Curator, Eval, Objective, Plugin, Probe, Source, Synthesizer, Target, Task
from factory.engine.build import run_build
from factory.errors import FactoryError
from factory.events import Event, StageStarted, Verdict
from factory.registry.registry import Registry, load_installed_registry
from factory.spec.layers import resolve_spec
from factory.testing.case import Case
from factory.testing.hash_seeds import run_trials
from factory.testing.sandbox import MODEL_OUTPUT_TYPES, WORLD_FOLDER, infer_output_type, shorten_fields, write_files


def run_conformance_build(kind: type[Plugin], case: Case) -> str:
    """Build twice and return the verdict. Raises AssertionError with the error of the build."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        folders = (WORLD_FOLDER, *_write_local_plugin(kind, root))
        registry = Registry.load(folders)
        spec = _write_conformance_project(kind, case, root)
        try:
            first = run_build(resolve_spec(spec, registry=registry), registry, root / "home")
            started: list[str] = []

            def collect_started(at: float, event: Event) -> None:
                if isinstance(event, StageStarted):
                    started.append(event.stage)

            resolved = resolve_spec(spec, registry=registry)
            second = run_build(resolved, registry, root / "home", listener=collect_started)
        except FactoryError as error:
            message = f"a build with {kind.role} {kind.kind!r} failed: {error}{_read_worker_log(root)}"
            raise AssertionError(message) from error
    assert first.verdict in list(Verdict), first
    assert second.verdict == first.verdict and not started, (
        f"the second build ran {started} again: a key changes between runs"
    )
    return first.verdict


def _read_worker_log(root: Path) -> str:
    """Return the last line of the worker's log, which says more than the error."""
    logs = sorted(root.glob("home/runs/*/worker.log"))
    lines = logs[-1].read_text(errors="replace").strip().splitlines() if logs else []
    return f"\n  {lines[-1]}" if lines else ""


def _write_local_plugin(kind: type[Plugin], root: Path) -> list[Path]:
    """Write a project-local folder for a class that is not installed; return it, or nothing for an installed one."""
    installed = {(other.role, other.kind) for other in load_installed_registry().list_classes()}
    if (kind.role, kind.kind) in installed:
        return []
    folder = root / "local"
    folder.mkdir()
    (folder / f"conformance_{identity.compute_key(str(root))[:12]}.py").write_text(
        "import sys\n" f"sys.path[:0] = {[os.path.abspath(path) for path in _find_import_paths(kind)]!r}\n"
        "from factory.api import hookimpl\n"
        f"from {kind.__module__} import {kind.__qualname__} as Kind\n\n\n"
        "@hookimpl\ndef factory_plugins():\n    return [Kind]\n"
    )
    return [folder]


def _find_import_paths(kind: type[Plugin]) -> list[str]:
    """Return the folder from which the module of a class is imported."""
    import sys

    file = Path(str(sys.modules[kind.__module__].__file__))
    depth = len(kind.__module__.split(".")) - (file.name != "__init__.py")
    return [str(file.parents[depth])]


def _write_conformance_project(kind: type[Plugin], case: Case, root: Path) -> Path:
    """Write the spec with the plugin, the rows, the side tables and the files of the case; return the spec's path."""
    write_files(case, root)
    rows = case.build_example_rows()
    lines = [{"id": row.id, "columns": dict(row.columns), "group": row.group} for row in rows]
    for table, entries in case.build_side_tables().items():
        lines += [{"id": row.id, "columns": dict(row.columns), "table": table} for row in entries.values()]
    (root / "world.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    spec = root / "conformance.yaml"
    spec.write_text(json.dumps(_build_conformance_spec(kind, case, root)))  # JSON is YAML
    return spec


def _build_conformance_spec(kind: type[Plugin], case: Case, root: Path) -> dict[str, Any]:
    output_type = infer_output_type(kind, case, load_installed_registry())
    is_task, count = issubclass(kind, Task), len(case.build_example_rows())
    task = {"kind": kind.kind, **case.fields} if is_task else {"kind": case.task or f"world-{output_type}"}
    rows = {
        "kind": "world-rows", "file": "world.jsonl", "columns": sorted(case.build_example_rows()[0].columns),
        "side_tables": sorted(case.build_side_tables()),
    }
    spec: dict[str, Any] = {
        "apiVersion": "factory/v1", "name": "conformance", "task": task,
        "models": _write_conformance_models(kind, case, output_type, root),
        "data": {
            "sources": [rows], "split": {"test": max(2 * count // 5, 2), "validation": max(count // 6, 1)},
            "leakage": {"jaccard": 1.0},
        },
    }
    block = {"kind": kind.kind, **shorten_fields(kind, case)}
    _insert_plugin_block(spec, kind, block, kind.kind if is_task else f"world-{output_type}")
    return {**spec, **case.spec}


def _write_conformance_models(kind: type[Plugin], case: Case, output_type: str, root: Path) -> dict[str, str]:
    """Write the models of the spec: random ones for a plugin that needs models, else an empty one that nobody loads."""
    if issubclass(kind, Objective | Probe | Task) or "needs_model" in run_trials([(kind, case)], models=False)[0][0]:
        from factory.testing.random_models import build_random_base

        output_types = {"student": output_type} | {
            name: MODEL_OUTPUT_TYPES[name] for name in kind(**case.fields).get_required_models()
            if name in MODEL_OUTPUT_TYPES
        }
        bases = {name: build_random_base(root / "models", each) for name, each in output_types.items()}
        return {name: f"./{base.folder.relative_to(root)}" for name, base in bases.items()}
    folder = root / "base"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "world", "architectures": ["World"]}))
    (folder / "model.safetensors").write_bytes(b"")
    return {"student": "./base"}


def _insert_plugin_block(spec: dict[str, Any], kind: type[Plugin], block: Mapping[str, Any], kit_kind: str) -> None:
    """Insert a plugin's block at the place of its role, beside the kit's own plugins for this output type."""
    if issubclass(kind, Source):
        spec["data"]["sources"] = [dict(block)]
    elif issubclass(kind, Synthesizer):
        spec["data"]["synthesize"] = [dict(block)]
    elif issubclass(kind, Curator):
        spec["data"]["curate"] = [dict(block)]
    elif issubclass(kind, Contender):
        others = [kit_kind] if kind.uses_artifact and kind.in_gate else ["tuned", kit_kind]
        spec["contenders"] = [dict(block), *others]
    elif issubclass(kind, Eval):
        spec["evaluate"] = [kit_kind, dict(block)] if issubclass(kind, Probe) else [dict(block)]
    elif issubclass(kind, Objective):
        spec["objective"] = dict(block)
        spec |= {"train": {"epochs": 1, "batch_size": 8, "precision": "fp32"}, "adapter": {"rank": 2}}
    elif issubclass(kind, Target):
        spec["targets"] = [dict(block)]
