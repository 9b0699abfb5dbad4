"""The cost of importing a plugin in a fresh interpreter: seconds, heavy libraries, and output to stdout."""

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
from factory.registry.registry import HEAVY_LIBRARIES

IMPORT_SCRIPT = """
import io, json, os, sys, time
from contextlib import redirect_stdout
import factory.api, factory.registry.registry
heavy, known = set(json.loads(sys.argv[1])), set(sys.modules)

def measure(name, first, last):
    sys.path[:0] = first
    sys.path += last
    printed, failed, start = io.StringIO(), "", time.perf_counter()
    try:
        with redirect_stdout(printed):
            module = __import__(name, fromlist=["*"])
            getattr(module, "factory_plugins", list)()
    except BaseException as error:
        failed = f"{type(error).__name__}: {error}".splitlines()[0]
    seconds = time.perf_counter() - start
    loaded = {module.partition(".")[0] for module in set(sys.modules) - known}
    return [sorted(loaded & heavy), round(seconds, 3), failed, printed.getvalue()[:80]]

for request in json.loads(sys.stdin.read()):
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        with os.fdopen(write_end, "w") as pipe:
            pipe.write(json.dumps(measure(*request)))
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        report = pipe.read()
    print("REPORT", report or json.dumps([[], 0.0, f"it ended the process (status {os.wait()[1]})", ""]), flush=True)
"""
"""Imports each module in a fork of its own, so that no module finds the imports of another already loaded."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The effects of importing one module and calling its hook."""

    module: str
    package: str
    heavy: tuple[str, ...]
    seconds: float
    failed: str
    printed: str

    @property
    def summary(self) -> str:
        """The result in one line: the worst finding with its remedy, or `light`."""
        if self.failed:
            return f"does not load: {self.failed}"
        if self.heavy:
            return f"imports {', '.join(self.heavy)} at module level; import them inside the methods that need them"
        return f"prints on import: {self.printed!r}" if self.printed else "light"


def measure_package_imports(folders: Iterable[Path] = ()) -> list[ImportReport]:
    """Measure every installed entry point and every module of project-local folders, each in its own process."""
    modules = [(point.value.partition(":")[0], point.dist.name if point.dist else "", "")
               for point in sorted(entry_points(group=local_plugins.ENTRY_POINT_GROUP), key=lambda point: point.name)]
    modules += [
        (module.name, str(folder), str(module.root))
        for folder in folders for module in local_plugins.find_local_modules(folder)
    ]
    return _run_import_script([(module, package, [], [root] if root else []) for module, package, root in modules])


def measure_import(module: str, package: str = "", paths: Sequence[str] = ()) -> ImportReport:
    """Measure one module in a fresh interpreter, with `paths` first on sys.path."""
    return _run_import_script([(module, package, list(paths), [])])[0]


def _run_import_script(modules: Sequence[tuple[str, str, list[str], list[str]]]) -> list[ImportReport]:
    """Measure the import of each (module, package, paths to prepend, paths to append). Raises RuntimeError if the
    script fails.
    """
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_SCRIPT, json.dumps(sorted(HEAVY_LIBRARIES))],
        capture_output=True, text=True, check=False,
        input=json.dumps([(module, first, last) for module, _, first, last in modules]),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    # Marked lines: a module may print past the redirection, for example from C code.
    results = [json.loads(line[7:]) for line in run.stdout.splitlines() if line.startswith("REPORT ")]
    if len(results) != len(modules):
        raise RuntimeError(f"plugin imports could not be measured: {run.stderr.strip()[-300:]}")
    return [
        ImportReport(module, package, tuple(heavy), seconds, failed, printed)
        for (module, package, _, _), (heavy, seconds, failed, printed) in zip(modules, results, strict=True)
    ]
