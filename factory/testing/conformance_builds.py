"""A real build with one plugin in its place: worker, stages, verdict, and again from the cache."""

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
from factory.registry.registry import Registry, load_installed_registry
from factory.spec.layers import resolve_spec
from factory.testing.case import Case
from factory.testing.hash_seeds import run_trials
from factory.testing.sandbox import MODEL_OUTPUT_TYPES, WORLD_FOLDER, infer_output_type, shorten_fields, write_files

VERDICT_EXIT_CODES = frozenset({0, 2, 3})


def run_conformance_build(kind: type[Plugin], case: Case) -> str:
    """Build twice; returns the verdict. Raises AssertionError with what went wrong, in the words of the build."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        folders = (WORLD_FOLDER, *_write_local_plugin(kind, root))
        registry = Registry.load(folders)
        spec = _write_conformance_project(kind, case, root)
        try:
            first = run_build(resolve_spec(spec, registry=registry), registry, root / "home")
            heard: list[Any] = []
            again = run_build(resolve_spec(spec, registry=registry), registry, root / "home", listener=_build_event_collector(heard))
        except FactoryError as error:
            raise AssertionError(f"a build with {kind.role} {kind.kind!r} failed: {error}{_read_worker_log(root)}") from error
    ran = [event.stage for event in heard if type(event).__name__ == "StageStarted"]
    assert first.exit_code in VERDICT_EXIT_CODES, first
    assert again.verdict == first.verdict and not ran, f"a second build ran {ran}: its key changes from run to run"
    return first.verdict


def _build_event_collector(heard: list[Any]) -> Any:
    return lambda at, event: heard.append(event)


def _read_worker_log(root: Path) -> str:
    """The last line that the worker wrote, which says more than the error."""
    logs = sorted(root.glob("home/runs/*/worker.log"))
    words = logs[-1].read_text(errors="replace").strip().splitlines() if logs else []
    return f"\n  {words[-1]}" if words else ""


def _write_local_plugin(kind: type[Plugin], root: Path) -> list[Path]:
    """A project-local folder for a class that no installed package registers; nothing for one that is installed."""
    found = {(one.role, one.kind) for one in load_installed_registry().list_classes()}
    if (kind.role, kind.kind) in found:
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
    """The folder from which a class's module is imported."""
    import sys

    file = Path(str(sys.modules[kind.__module__].__file__))
    depth = len(kind.__module__.split(".")) - (file.name != "__init__.py")
    return [str(file.parents[depth])]


def _write_conformance_project(kind: type[Plugin], case: Case, root: Path) -> Path:
    """The project: a spec with the plugin in its place, the rows, the tables, and the case's own files."""
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
    form = infer_output_type(kind, case, load_installed_registry())
    own, count = issubclass(kind, Task), len(case.build_example_rows())
    task = {"kind": kind.kind, **case.fields} if own else {"kind": case.task or f"world-{form}"}
    rows = {
        "kind": "world-rows", "file": "world.jsonl", "columns": sorted(case.build_example_rows()[0].columns),
        "holds": sorted(case.build_side_tables()),
    }
    spec: dict[str, Any] = {
        "apiVersion": "factory/v1", "name": "conformance", "task": task,
        "models": _write_conformance_models(kind, case, form, root),
        "data": {
            "sources": [rows], "split": {"test": max(2 * count // 5, 2), "validation": max(count // 6, 1)},
            "leakage": {"near": 1.0},
        },
    }
    _insert_plugin_block(spec, kind, {"kind": kind.kind, **shorten_fields(kind, case)}, kind.kind if own else f"world-{form}")
    return {**spec, **case.spec}


def _write_conformance_models(kind: type[Plugin], case: Case, form: str, root: Path) -> dict[str, str]:
    """A random model for what learns or asks one, and the further ones that it uses; else one that nobody loads."""
    if issubclass(kind, Objective | Probe | Task) or "model" in run_trials([(kind, case)], models=False)[0][0]:
        from factory.testing.random_models import build_random_base

        lent = {alias: build_random_base(root / "models", MODEL_OUTPUT_TYPES.get(alias, form)) for alias in kind(**case.fields).get_required_models()}
        student = build_random_base(root / "models", form)
        return {name: f"./{one.folder.relative_to(root)}" for name, one in {"student": student, **lent}.items()
                if name in ("student", *MODEL_OUTPUT_TYPES)}
    folder = root / "base"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "world", "architectures": ["World"]}))
    (folder / "model.safetensors").write_bytes(b"")
    return {"student": "./base"}


def _insert_plugin_block(spec: dict[str, Any], kind: type[Plugin], block: Mapping[str, Any], form: str) -> None:
    """Put a plugin's block where its role stands, beside the world's own for this form of answers."""
    if issubclass(kind, Source):
        spec["data"]["sources"] = [dict(block)]
    elif issubclass(kind, Synthesizer):
        spec["data"]["synthesize"] = [dict(block)]
    elif issubclass(kind, Curator):
        spec["data"]["curate"] = [dict(block)]
    elif issubclass(kind, Contender):
        others = [form] if kind.uses_adapter and kind.in_gate else ["tuned", form]
        spec["contenders"] = [dict(block), *others]
    elif issubclass(kind, Eval):
        spec["evaluate"] = [form, dict(block)] if issubclass(kind, Probe) else [dict(block)]
    elif issubclass(kind, Objective):
        spec["objective"] = dict(block)
        spec |= {"train": {"epochs": 1, "batch_size": 8, "precision": "fp32"}, "adapter": {"rank": 2}}
    elif issubclass(kind, Target):
        spec["targets"] = [dict(block)]


