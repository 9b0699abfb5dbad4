"""A project's own folder of plugins, which counts only where a command line names it: `--plugins DIR`.

A folder with a `pyproject.toml` is a package that is not installed: its entry points count. In any other folder every
module, or package, that has one of the two hooks counts. What such a folder holds has no version that a key could
rest on, so the digest of its files stands in every key of its plugins.
"""

from __future__ import annotations

import importlib
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from factory import identity
from factory.errors import InputError

ENTRY_POINT_GROUP = "factory.plugins"
HOOK_NAMES = ("factory_plugins", "factory_event")
IGNORED_FOLDERS = frozenset({"__pycache__", "tests", "build", "dist"})


@dataclass(frozen=True, slots=True)
class LocalModule:
    """A module of a project-local folder; `root` is what must be on the path to import it, `digest` of its files."""

    name: str
    folder: Path
    root: Path
    digest: str

    def import_module(self) -> ModuleType:
        """Import it. Raises ImportError when another module of its name comes first."""
        if str(self.root) not in sys.path:
            sys.path.append(str(self.root))
        importlib.invalidate_caches()
        module = importlib.import_module(self.name)
        if not _is_module_below(module, self.root):
            raise ImportError(f"another module is called {self.name!r}, and comes first; rename the one in {self.root}")
        return module


def find_local_modules(folder: Path) -> list[LocalModule]:
    """The plugin modules of a folder, by name. Raises InputError when it is no folder, or holds none."""
    if not folder.is_dir():
        raise InputError(f"--plugins {folder}: no such folder")
    project = folder / "pyproject.toml"
    found = _read_entry_points(folder, project) if project.is_file() else {name: folder for name in _find_hook_modules(folder)}
    if not found:
        wants = f"an entry point {ENTRY_POINT_GROUP!r}" if project.is_file() else f"a module with a function {HOOK_NAMES[0]}"
        raise InputError(f"--plugins {folder}: it holds no plugins; it wants {wants}")
    return [LocalModule(name, folder, root, _digest_local_module(name, root)) for name, root in sorted(found.items())]


def _read_entry_points(folder: Path, project: Path) -> dict[str, Path]:
    """Module → the folder that it is imported from, of a package that is not installed."""
    try:
        points = tomllib.loads(project.read_text("utf-8")).get("project", {}).get("entry-points", {}).get(ENTRY_POINT_GROUP, {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{project}: {error}") from error
    named = [str(value).partition(":")[0] for value in points.values()]
    return {name: folder / "src" if (folder / "src").is_dir() else folder for name in named}


def _find_hook_modules(folder: Path) -> list[str]:
    """The modules of a folder whose text names a hook: the others are their helpers, and are not imported here."""
    files = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
    named = [file for file in files if any(hook in file.read_text("utf-8", "replace") for hook in HOOK_NAMES)]
    return sorted(file.stem if file.parent == folder else file.parent.name for file in named)


def _digest_local_module(name: str, root: Path) -> str:
    """The digest of a module's files, or of all beside it when it is a file alone: it may import any of them."""
    package = root.joinpath(*name.split("."))
    place = package if package.is_dir() else root
    files = [path for path in sorted(place.rglob("*")) if path.is_file() and _is_module_file(path.relative_to(place))]
    return identity.compute_key({path.relative_to(place).as_posix(): identity.digest_file(path) for path in files})


def _is_module_file(path: Path) -> bool:
    return not any(part in IGNORED_FOLDERS or part.startswith(".") or part.endswith(".egg-info") for part in path.parts)


def _is_module_below(module: ModuleType, root: Path) -> bool:
    return Path(module.__file__ or "/").resolve().is_relative_to(root.resolve())
