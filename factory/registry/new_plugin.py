"""A new plugin package from the templates: one class, one test, a README, a smoke spec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from factory.errors import InputError
from factory.registry.resources import find_resource

PACKAGE_NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SCAFFOLD_ROLES = ("source", "synthesizer", "curator", "objective", "contender", "eval", "target", "task")
ROLES_WITH_ROWS = frozenset({"synthesizer", "curator", "contender", "eval", "target"})
"""Roles whose smoke spec reads the common rows."""


def create_plugin_package(name: str, role: str, folder: Path) -> list[Path]:
    """Write a package of one plugin; returns its files. Raises InputError for a bad name, or a folder that is there."""
    if not PACKAGE_NAME_PATTERN.fullmatch(name):
        raise InputError(f"{name!r} is no name of a plugin; use small letters, digits and hyphens, such as my-metric")
    if name.replace("-", "_") in _list_reserved_modules():
        raise InputError(f"a module is called {name.replace('-', '_')!r} already; choose another name")
    if folder.exists():
        raise InputError(f"{folder} is there already; choose another name, or --at another folder")
    words = {
        "my_plugin": name.replace("-", "_"), "my-plugin": name, "MyPlugin": _to_camel_case(name), "MY_ROLE": role,
    }
    common, own = find_resource("templates/plugin/common"), find_resource(f"templates/plugin/{role}")
    sources = {path.relative_to(place): path for place in (common, own) for path in sorted(place.rglob("*"))
               if path.is_file() and "__pycache__" not in path.parts}
    written = []
    for relative, path in sorted(sources.items()):
        if relative.name == "rows.jsonl" and role not in ROLES_WITH_ROWS:
            continue
        target = folder / _substitute_words(relative.as_posix(), words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_substitute_words(path.read_text("utf-8"), words), encoding="utf-8")
        written.append(target)
    return written


def _substitute_words(text: str, words: Mapping[str, str]) -> str:
    for word, stands in words.items():
        text = text.replace(word, stands)
    return text


def _to_camel_case(name: str) -> str:
    return "".join(part.title() for part in name.split("-"))


def _list_reserved_modules() -> frozenset[str]:
    """Modules that a package of this name would hide, or be hidden by."""
    import sys

    return frozenset(sys.stdlib_module_names) | {"factory", "tests", "torch", "numpy", "pydantic"}
