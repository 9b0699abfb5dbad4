"""Scaffolding of a new plugin package from the templates: one class, one test, a README and a smoke spec."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from factory.errors import InputError
from factory.registry.resources import find_resource
from factory.text.articles import add_article

PACKAGE_NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SCAFFOLD_ROLES = ("source", "synthesizer", "curator", "objective", "contender", "eval", "probe", "target", "task")
ROLES_WITH_ROWS = frozenset({"synthesizer", "curator", "contender", "eval", "target"})
"""Roles whose smoke spec uses the common `rows.jsonl`."""
RESERVED_MODULES = frozenset({"factory", "tests", "torch", "numpy", "pydantic"})
"""Modules, besides the standard library's, that a new package would shadow, or that would shadow it."""


def create_plugin_package(name: str, role: str, folder: Path) -> list[Path]:
    """Write the package of one plugin and return its files. Raises InputError for a bad name or an existing folder."""
    if not PACKAGE_NAME_PATTERN.fullmatch(name):
        raise InputError(f"invalid plugin name {name!r}; use lower-case letters, digits and hyphens, such as my-metric")
    module = name.replace("-", "_")
    if module in sys.stdlib_module_names | RESERVED_MODULES:
        raise InputError(f"a module named {module!r} already exists; choose another name")
    if folder.exists():
        raise InputError(f"{folder} already exists; choose another name, or another folder with --at")
    class_name = "".join(part.title() for part in name.split("-"))
    words = {
        "my_plugin": module, "my-plugin": name, "MyPlugin": class_name, "A MY_ROLE": add_article(role).capitalize(),
    }
    common, own = find_resource("templates/plugin/common"), find_resource(f"templates/plugin/{role}")
    sources = {
        path.relative_to(template): path for template in (common, own) for path in sorted(template.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
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
    for placeholder, value in words.items():
        text = text.replace(placeholder, value)
    return text
