"""The pages as Markdown: one for each kind, one for each role, and the guides as they stand in the repository."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from factory.api import Plugin
from factory.registry.describe import describe_class_facts, describe_fields, list_kind_users
from factory.registry.registry import ROLES, Registry
from factory.registry.resources import PACKAGE_FOLDER, find_resource
from factory.report.docs.example_specs import build_example_spec
from factory.views.formatting import clean_line

GUIDE_FILES = {
    "index": ("The factory", "README.md"), "tutorial": ("Tutorial", "templates/docs/tutorial.md"),
    "plugins": ("Write a plugin", "plugins/README.md"), "engine": ("How it is built", ""),
}
"""Page → its name in the menu, and the file that it is."""


def build_markdown_pages(registry: Registry) -> dict[str, str]:
    """Page name → Markdown. Raises UnavailableError when the installation lacks the guides."""
    found = {name: _read_guide(file) for name, (_, file) in GUIDE_FILES.items()}
    for role in sorted(ROLES):
        found[role] = _build_role_page(role, registry)
        for kind in registry.list_classes(role):
            found[f"{role}-{kind.kind}"] = build_kind_page(kind, registry)
    return found


def _read_guide(file: str) -> str:
    return (find_resource(file) if file else PACKAGE_FOLDER / "README.md").read_text("utf-8")


def _build_role_page(role: str, registry: Registry) -> str:
    """The page of a role: what it is, and its kinds."""
    base = ROLES[role]
    rows = [f"| [{kind.kind}]({role}-{kind.kind}.md) | {_get_first_doc_line(kind)} | {registry.get_package(kind).name} |"
            for kind in registry.list_classes(role)]
    return "\n".join([
        f"# {role.title()}", "", inspect.cleandoc(base.__doc__ or ""), "",
        "| kind | what it is | package |", "|---|---|---|", *rows, "",
    ])


def build_kind_page(kind: type[Plugin], registry: Registry) -> str:
    """The page of a kind: what its class says, its fields, what it reads and gives, and a spec that uses it."""
    package = registry.get_package(kind)
    lines = [f"# {kind.kind}", "", f"*{kind.role}, version {kind.version}, of {package.name} {package.version}*", "",
             inspect.cleandoc(kind.__doc__ or ""), ""]
    lines += [f"- {name}: `{value}`" for name, value in describe_class_facts(kind).items()]
    metrics: Any = getattr(kind, "metrics", ())
    lines += [f"- metric `{one.name}`: {one.what}" for one in metrics] if isinstance(metrics, tuple) else []
    lines += ["", *_build_fields_table(kind)]
    spec = build_example_spec(kind, registry)
    if spec:
        lines += ["", "## Example", "", "```yaml", spec.rstrip(), "```"]
    users = list_kind_users(kind, registry, Path("nowhere"))
    lines += ["", f"Used by {', '.join(users)}." if users else "No task uses it by default."]
    return "\n".join(lines) + "\n"


def _build_fields_table(kind: type[Plugin]) -> list[str]:
    fields = describe_fields(kind)
    if not fields:
        return ["It has no fields."]
    rows = []
    for field in fields:
        default = "must be given" if field.required else f"`{json.dumps(field.default, ensure_ascii=False)}`"
        rows.append(f"| `{field.name}` | {_escape_table_cell(field.type)} | {_escape_table_cell(default)} | {_escape_table_cell(field.what)} |")
    return ["## Fields", "", "| field | type | default | what it is |", "|---|---|---|---|", *rows]


def _escape_table_cell(text: str) -> str:
    return clean_line(text).replace("|", "\\|")


def _get_first_doc_line(kind: type[Plugin]) -> str:
    return _escape_table_cell(next(iter((kind.__doc__ or "").strip().splitlines()), ""))


def build_menu(registry: Registry) -> list[tuple[str, str]]:
    """What stands in the menu: page and name."""
    return [*((name, title) for name, (title, _) in GUIDE_FILES.items()), *((role, f"{role}s") for role in sorted(ROLES))]


