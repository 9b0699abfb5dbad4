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

from factory import local
from factory.heavy import HEAVY

SCRIPT = """
import io, json, sys, time
from contextlib import redirect_stdout
import factory.api, factory.plugins
heavy, known, name, roots = set(json.loads(sys.argv[1])), set(sys.modules), sys.argv[2], json.loads(sys.argv[3])
sys.path[:0] = roots[0]
sys.path += roots[1]
said, failed, start = io.StringIO(), "", time.perf_counter()
try:
    with redirect_stdout(said):
        module = __import__(name, fromlist=["*"])
        getattr(module, "factory_plugins", list)()
except BaseException as error:
    failed = f"{type(error).__name__}: {error}".splitlines()[0]
seconds = time.perf_counter() - start
loaded = {module.partition(".")[0] for module in set(sys.modules) - known}
told = [sorted(loaded & heavy), round(seconds, 3), failed, said.getvalue()[:80]]
print()
print(json.dumps(told))
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What the import of one module, with the classes that it brings, did."""

    module: str
    package: str
    heavy: tuple[str, ...]
    seconds: float
    failed: str
    printed: str

    @property
    def verdict(self) -> str:
        """What a person should know."""
        if self.failed:
            return f"does not load: {self.failed}"
        if self.heavy:
            return f"imports {', '.join(self.heavy)} when it is loaded; import them inside the methods that need them"
        return f"prints when it is loaded: {self.printed!r}" if self.printed else "light"


def packages(folders: Iterable[Path] = ()) -> list[Imported]:
    """Every installed entry point, and every module of these project-local folders, each in its own interpreter."""
    named = [(point.value.partition(":")[0], point.dist.name if point.dist else "", "")
             for point in sorted(entry_points(group=local.GROUP), key=lambda point: point.name)]
    named += [(module.name, str(folder), str(module.root)) for folder in folders for module in local.modules(folder)]
    return [imported(module, package, root) for module, package, root in named]


def imported(module: str, package: str = "", root: str = "", paths: Sequence[str] = ()) -> Imported:
    """Import one module in a fresh interpreter; `root` is put last on its path, `paths` first."""
    roots = json.dumps([list(paths), [root] if root else []])
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(sorted(HEAVY)), module, roots],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    lines = run.stdout.splitlines()
    if run.returncode or not lines:
        last = next(iter(run.stderr.splitlines()[-1:]), f"exit code {run.returncode}")
        return Imported(module, package, (), 0.0, f"the interpreter ended: {last}", "")
    heavy, seconds, failed, printed = json.loads(lines[-1])
    return Imported(module, package, tuple(heavy), seconds, failed, printed)
