"""Project-local plugins, loaded only from folders named on the command line with `--plugins DIR`.

In a folder with a `pyproject.toml` (a package that is not installed) its entry points are loaded; in any other folder,
every module or package with one of the two hooks. Local code has no version, so keys hold the digest of its files.
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
    """A module of a project-local folder: `root` must be on the path to import it, `digest` is that of its files."""

    name: str
    folder: Path
    root: Path
    digest: str

    def import_module(self) -> ModuleType:
        """Import the module. Raises ImportError if another module of the same name is found first."""
        if str(self.root) not in sys.path:
            sys.path.append(str(self.root))
        importlib.invalidate_caches()
        module = importlib.import_module(self.name)
        if not is_module_below(module, self.root):
            raise ImportError(f"another module named {self.name!r} is found first; rename the one in {self.root}")
        return module


def find_local_modules(folder: Path) -> list[LocalModule]:
    """Return the plugin modules of a folder by name. Raises InputError if it does not exist or has none."""
    if not folder.is_dir():
        raise InputError(f"--plugins {folder}: no such folder")
    project = folder / "pyproject.toml"
    if project.is_file():
        roots, expected = _read_entry_points(folder, project), f"an entry point in the group {ENTRY_POINT_GROUP!r}"
    else:
        files = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]  # those without a hook are helpers
        modules = [file for file in files if any(hook in file.read_text("utf-8", "replace") for hook in HOOK_NAMES)]
        roots = {file.stem if file.parent == folder else file.parent.name: folder for file in modules}
        expected = f"a module with a function {HOOK_NAMES[0]}"
    if not roots:
        raise InputError(f"--plugins {folder}: no plugins found; expected {expected}")
    return [LocalModule(name, folder, root, _digest_local_module(name, root)) for name, root in sorted(roots.items())]


def _read_entry_points(folder: Path, project: Path) -> dict[str, Path]:
    """Return module → folder to import it from, for a package that is not installed."""
    try:
        metadata = tomllib.loads(project.read_text("utf-8")).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{project}: {error}") from error
    points = metadata.get("entry-points", {}).get(ENTRY_POINT_GROUP, {})
    root = folder / "src" if (folder / "src").is_dir() else folder
    return {str(value).partition(":")[0]: root for value in points.values()}


def _digest_local_module(name: str, root: Path) -> str:
    """Return the digest of a package's files, or, for a single module, of all files beside it, which it may import."""
    package = root.joinpath(*name.split("."))
    folder = package if package.is_dir() else root
    relative = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return identity.compute_key({
        path.as_posix(): identity.digest_file(folder / path) for path in relative
        if not any(part in IGNORED_FOLDERS or part.startswith(".") or part.endswith(".egg-info") for part in path.parts)
    })


def is_module_below(module: ModuleType | None, root: Path) -> bool:
    """Return whether a module was imported from a folder."""
    return Path(getattr(module, "__file__", None) or "/").resolve().is_relative_to(root.resolve())
