"""Static checks of a plugin class: configuration, documentation, imports and declared columns."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from factory.api import Objective, Plugin, Probe
from factory.registry.registry import check_plugin_class
from factory.testing.import_cost import ImportReport

FaultReasons = Iterator[tuple[str, str]]
ALLOWED_IMPORTS = ("factory.api", "factory.text", "factory.testing")
"""What a plugin may import from the factory: the public API, text utilities, and in its tests the kit."""


def load_plugin_classes(module: str) -> list[type[Plugin]]:
    """Return the classes of a module's hook."""
    classes: list[type[Plugin]] = importlib.import_module(module).factory_plugins()
    return classes


def is_model_plugin(kind: type[Plugin]) -> bool:
    """Return whether a class needs a model in any case: an objective or a probe."""
    return issubclass(kind, Objective | Probe)


def find_class_faults(kind: type[Plugin], fields: Mapping[str, Any]) -> FaultReasons:
    """Yield (check, reason) for every fault of the class itself."""
    try:
        check_plugin_class(kind)
    except (TypeError, ValueError) as error:
        yield "class", str(error)
        return
    yield from _check_model_config(kind)
    yield from _check_documentation(kind)
    yield from _check_json_schema(kind)
    yield from _check_contract_imports(kind)
    yield from _check_construction(kind, fields)


def _check_model_config(kind: type[Plugin]) -> FaultReasons:
    config = kind.model_config
    if not config.get("frozen"):
        yield "frozen", "model_config makes it mutable; do not override model_config"
    if config.get("extra") != "forbid":
        yield "closed", "it accepts unknown fields, which hides typos in a spec; do not override model_config"


def _check_documentation(kind: type[Plugin]) -> FaultReasons:
    if not (vars(kind).get("__doc__") or "").strip():
        yield "documented", "it has no docstring; describe in a sentence what it does: `factory plugins` shows it"
    for name, field in kind.model_fields.items():
        if not (field.description or "").strip():
            yield "documented", f"the field {name!r} has no description; write Field(…, description=\"…\")"


def _check_json_schema(kind: type[Plugin]) -> FaultReasons:
    try:
        json.dumps(kind.model_json_schema(), allow_nan=False)
    except Exception as error:  # pydantic raises several types of error here
        reason = next(iter(str(error).splitlines()), "")
        yield "schema", f"its fields have no JSON Schema, which editors need ({reason}); use JSON types"


def _check_contract_imports(kind: type[Plugin]) -> FaultReasons:
    """Check that no file of the class's package imports internals of the factory."""
    file = Path(inspect.getfile(kind))
    package = kind.__module__.partition(".")[0]
    top = next((parent for parent in file.parents if parent.name == package), None)
    for path in sorted(top.rglob("*.py")) if top else [file]:
        for name in _list_imported_modules(path):
            if name.partition(".")[0] == "factory" and not name.startswith(ALLOWED_IMPORTS):
                yield "contract", f"{path.name} imports {name}, which is not a public API; import from factory.api"


def _list_imported_modules(file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"factory.{alias.name}" for alias in node.names] if node.module == "factory" else [node.module]
    return sorted(set(names))


def _check_construction(kind: type[Plugin], fields: Mapping[str, Any]) -> FaultReasons:
    """Check that the plugin can be created from its fields, and again from its own block."""
    try:
        plugin = kind(**fields)
        block = {name: value for name, value in plugin.to_block().items() if name != "kind"}
        if kind(**block) != plugin:
            yield "block", "the plugin created from its own block is not equal; give every field a lossless JSON form"
    except ValidationError as error:
        missing = [str(problem["loc"][0]) for problem in error.errors() if problem["type"] == "missing"]
        hint = f"; pass a Case(fields={{{missing[0]!r}: …}})" if missing else f": {error.errors()[0]['msg']}"
        yield "made", f"it can not be created from these fields{hint}"
    except Exception as error:
        yield "made", f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def find_import_faults(kind: type[Plugin], report: ImportReport) -> FaultReasons:
    """Yield what the import of its module does that would slow down or disturb every command."""
    if report.failed:
        yield "loads", f"{kind.__module__} can not be imported on its own: {report.failed}"
    if report.heavy:
        yield "light", f"importing it imports {', '.join(report.heavy)}; import them inside the methods that need them"
    if report.printed:
        yield "silent", f"importing it prints {report.printed!r}; stdout is reserved for the output of commands"


def find_column_faults(kind: type[Plugin], fields: Mapping[str, Any], observed: Mapping[str, Any]) -> Iterator[str]:
    """Yield differences between the columns that a class declares and those that it read."""
    if kind.role not in ("synthesizer", "curator", "objective", "contender", "eval") or observed["reads_everything"]:
        return
    plugin = kind(**fields)
    declared = set(getattr(plugin, "columns", ()))
    if unread := sorted(declared - set(observed["all_reads"])):
        yield f"it declares the column {unread[0]!r} but never reads it; remove it from columns"
    # A column that a field of the plugin names was chosen by the spec and needs no declaration.
    from_fields = set(_iter_nested_texts(plugin.model_dump(mode="json")))
    if undeclared := sorted(set(observed["plugin_reads"]) - declared - from_fields):
        yield (f"it reads the column {undeclared[0]!r} but does not declare it, so a build can fail half-way; add it "
               "to columns, or read it with .get")


def _iter_nested_texts(value: Any) -> Iterator[str]:
    """Yield every string in a JSON value."""
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from _iter_nested_texts(item)
