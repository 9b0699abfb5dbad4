"""What importing a plugin costs, seen in a fresh interpreter: seconds, heavy libraries, and what it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from factory.registry import local_plugins
from factory.registry.heavy_imports import HEAVY_LIBRARIES

IMPORT_SCRIPT = """
import io, json, os, sys, time
from contextlib import redirect_stdout
import factory.api, factory.registry.registry
heavy, known = set(json.loads(sys.argv[1])), set(sys.modules)

def tried(name, first, last):
    sys.path[:0] = first
    sys.path += last
    said, failed, start = io.StringIO(), "", time.perf_counter()
    try:
        with redirect_stdout(said):
            module = __import__(name, fromlist=["*"])
            getattr(module, "factory_plugins", list)()
    except BaseException as error:
        failed = f"{type(error).__name__}: {error}".splitlines()[0]
    seconds = time.perf_counter() - start
    loaded = {module.partition(".")[0] for module in set(sys.modules) - known}
    return [sorted(loaded & heavy), round(seconds, 3), failed, said.getvalue()[:80]]

for asked in json.loads(sys.stdin.read()):
    ours, theirs = os.pipe()
    if os.fork() == 0:
        with os.fdopen(theirs, "w") as pipe:
            pipe.write(json.dumps(tried(*asked)))
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        told = pipe.read()
    print("TOLD", told or json.dumps([[], 0.0, f"it ended the interpreter (status {os.wait()[1]})", ""]), flush=True)
"""
"""Imports each module in a fork of its own, so that none has what another one loaded."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What the import of one module, with the classes that it brings, did."""

    module: str
    package: str
    heavy: tuple[str, ...]
    seconds: float
    failed: str
    printed: str

    @property
    def summary(self) -> str:
        """What a person should know."""
        if self.failed:
            return f"does not load: {self.failed}"
        if self.heavy:
            return f"imports {', '.join(self.heavy)} when it is loaded; import them inside the methods that need them"
        return f"prints when it is loaded: {self.printed!r}" if self.printed else "light"


def measure_package_imports(folders: Iterable[Path] = ()) -> list[ImportReport]:
    """Every installed entry point, and every module of these project-local folders, each in its own interpreter."""
    named = [(point.value.partition(":")[0], point.dist.name if point.dist else "", "")
             for point in sorted(entry_points(group=local_plugins.ENTRY_POINT_GROUP), key=lambda point: point.name)]
    named += [(module.name, str(folder), str(module.root)) for folder in folders for module in local_plugins.find_local_modules(folder)]
    return _run_import_script([(module, package, [], [root] if root else []) for module, package, root in named])


def measure_import(module: str, package: str = "", paths: Sequence[str] = ()) -> ImportReport:
    """Import one module in a fresh interpreter, with `paths` first on its path."""
    return _run_import_script([(module, package, list(paths), [])])[0]


def _run_import_script(asked: Sequence[tuple[str, str, list[str], list[str]]]) -> list[ImportReport]:
    """What the import of each (module, package, paths first, paths last) did. Raises RuntimeError when none could be
    tried at all.
    """
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_SCRIPT, json.dumps(sorted(HEAVY_LIBRARIES))], capture_output=True, text=True, check=False,
        input=json.dumps([(module, first, last) for module, _, first, last in asked]),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    told = [json.loads(line[5:]) for line in run.stdout.splitlines() if line.startswith("TOLD ")]
    if len(told) != len(asked):
        raise RuntimeError(f"plugins could not be tried: {run.stderr.strip()[-300:]}")
    return [
        ImportReport(module, package, tuple(heavy), seconds, failed, printed)
        for (module, package, _, _), (heavy, seconds, failed, printed) in zip(asked, told, strict=True)
    ]
