"""The documentation pages as Markdown: one per kind, one per role, and the guides of the repository."""

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
from factory.report.docs.memory_page import build_memory_page
from factory.views.formatting import clean_line

GUIDE_FILES = {
    "index": ("Overview", "README.md"), "tutorial": ("Tutorial", "templates/docs/tutorial.md"),
    "plugins": ("Write a plugin", "plugins/README.md"), "engine": ("Architecture", ""),
}
"""Page name → its title in the menu, and its file (empty: README.md of the package)."""
MEMORY_PAGE = ("memory", "What fits where")


def build_markdown_pages(registry: Registry) -> dict[str, str]:
    """Return page name → Markdown. Raises UnavailableError if the installation lacks the guides."""
    pages = {}
    for name, (_, guide) in GUIDE_FILES.items():
        pages[name] = (find_resource(guide) if guide else PACKAGE_FOLDER / "README.md").read_text("utf-8")
    pages[MEMORY_PAGE[0]] = build_memory_page()
    for role in sorted(ROLES):
        pages[role] = _build_role_page(role, registry)
        for kind in registry.list_classes(role):
            pages[f"{role}-{kind.kind}"] = build_kind_page(kind, registry)
    return pages


def _build_role_page(role: str, registry: Registry) -> str:
    """Return the page of a role: its description and a table of its kinds."""
    lines = [f"# {role.title()}", "", inspect.cleandoc(ROLES[role].__doc__ or ""), "",
             "| kind | description | package |", "|---|---|---|"]
    for kind in registry.list_classes(role):
        summary = _escape_table_cell(next(iter((kind.__doc__ or "").strip().splitlines()), ""))
        lines.append(f"| [{kind.kind}]({role}-{kind.kind}.md) | {summary} | {registry.get_package(kind).name} |")
    return "\n".join([*lines, ""])


def build_kind_page(kind: type[Plugin], registry: Registry) -> str:
    """Return the page of a kind: docstring, columns, metrics, fields, an example spec, and the tasks that use it."""
    package = registry.get_package(kind)
    lines = [f"# {kind.kind}", "", f"*{kind.role}, version {kind.version}, of {package.name} {package.version}*", "",
             inspect.cleandoc(kind.__doc__ or ""), ""]
    lines += [f"- {name}: `{value}`" for name, value in describe_class_facts(kind).items()]
    metrics: Any = getattr(kind, "metrics", ())
    lines += [f"- metric `{metric.name}`: {metric.what}" for metric in metrics] if isinstance(metrics, tuple) else []
    lines += ["", *_build_fields_table(kind)]
    spec = build_example_spec(kind, registry)
    if spec:
        lines += ["", "## Example", "", "```yaml", spec.rstrip(), "```"]
    # A folder without runs: the pages must not depend on the runs of this machine.
    users = list_kind_users(kind, registry, Path("nowhere"))
    lines += ["", f"Used by {', '.join(users)}." if users else "No task uses it by default."]
    return "\n".join(lines) + "\n"


def _build_fields_table(kind: type[Plugin]) -> list[str]:
    fields = describe_fields(kind)
    if not fields:
        return ["This kind has no fields."]
    rows = []
    for field in fields:
        default = "required" if field.required else f"`{json.dumps(field.default, ensure_ascii=False)}`"
        cells = (_escape_table_cell(text) for text in (field.type, default, field.what))
        rows.append(f"| `{field.name}` | {' | '.join(cells)} |")
    return ["## Fields", "", "| field | type | default | description |", "|---|---|---|---|", *rows]


def _escape_table_cell(text: str) -> str:
    return clean_line(text).replace("|", "\\|")


def build_menu(registry: Registry) -> list[tuple[str, str]]:
    """Return the menu: (page name, title) of the guides and roles."""
    guides = [(name, title) for name, (title, _) in GUIDE_FILES.items()]
    return [*guides, MEMORY_PAGE, *((role, f"{role}s") for role in sorted(ROLES))]
