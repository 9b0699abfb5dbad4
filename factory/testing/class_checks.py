"""What a plugin class says of itself, read without running it."""

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
ALLOWED_IMPORTS = ("factory.api", "factory.testing")
"""What a plugin may import of the factory: the contract, and in its tests the kit."""


def load_plugin_classes(module: str) -> list[type[Plugin]]:
    """The classes that a module's hook returns."""
    found: list[type[Plugin]] = importlib.import_module(module).factory_plugins()
    return found


def is_model_plugin(kind: type[Plugin]) -> bool:
    """Whether a class is about models: an objective, or a probe of one."""
    return issubclass(kind, Objective | Probe)


def find_class_faults(kind: type[Plugin], fields: Mapping[str, Any]) -> FaultReasons:
    """Yield (check, reason) for what is wrong with a class as it stands."""
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
        yield "frozen", "model_config makes it changeable; leave model_config alone"
    if config.get("extra") != "forbid":
        yield "closed", "it accepts fields that it does not name, so a typo in a spec is lost; leave model_config alone"


def _check_documentation(kind: type[Plugin]) -> FaultReasons:
    said = (vars(kind).get("__doc__") or "").strip()
    if not said:
        yield "documented", "it has no docstring; say in a sentence what it does: `factory plugins` shows it"
    for name, field in kind.model_fields.items():
        if not (field.description or "").strip():
            yield "documented", f"the field {name!r} has no description; write Field(…, description=\"…\")"


def _check_json_schema(kind: type[Plugin]) -> FaultReasons:
    try:
        json.dumps(kind.model_json_schema(), allow_nan=False)
    except Exception as error:  # pydantic raises several kinds of error here
        said = next(iter(str(error).splitlines()), "")
        yield "schema", f"its fields have no JSON Schema, so no editor can complete them ({said}); use JSON types"


def _check_contract_imports(kind: type[Plugin]) -> FaultReasons:
    """Every file of the package that holds the class must import the contract alone."""
    file = Path(inspect.getfile(kind))
    package = kind.__module__.partition(".")[0]
    top = next((parent for parent in file.parents if parent.name == package), None)
    for path in sorted(top.rglob("*.py")) if top else [file]:
        for name in _list_imported_modules(path):
            if name.partition(".")[0] == "factory" and not name.startswith(ALLOWED_IMPORTS):
                yield "contract", f"{path.name} imports {name}, which may change any day; import factory.api alone"


def _list_imported_modules(file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"factory.{alias.name}" for alias in node.names] if node.module == "factory" else [node.module]
    return sorted(set(names))


def _check_construction(kind: type[Plugin], fields: Mapping[str, Any]) -> FaultReasons:
    """It can be made of its fields, and of the block that it writes of itself."""
    try:
        made = kind(**fields)
        block = {name: value for name, value in made.to_block().items() if name != "kind"}
        if kind(**block) != made:
            yield "block", "made again of its own block it is another; let every field have one JSON form"
    except ValidationError as error:
        lacking = [str(one["loc"][0]) for one in error.errors() if one["type"] == "missing"]
        hint = f"; give a Case(fields={{{lacking[0]!r}: …}})" if lacking else f": {error.errors()[0]['msg']}"
        yield "made", f"it can not be made of these fields{hint}"
    except Exception as error:
        yield "made", f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def find_import_faults(kind: type[Plugin], seen: ImportReport) -> FaultReasons:
    """Yield what its import does that no command should wait for."""
    if seen.failed:
        yield "loads", f"{kind.__module__} does not load by itself: {seen.failed}"
    if seen.heavy:
        yield "light", f"importing it imports {', '.join(seen.heavy)}; import them inside the methods that need them"
    if seen.printed:
        yield "silent", f"importing it prints {seen.printed!r}; standard output is data"


def find_column_faults(kind: type[Plugin], fields: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the columns that a class declares, against those that it read."""
    if kind.role not in ("synthesizer", "curator", "objective", "contender", "eval"):
        return
    made = kind(**fields)
    declared = set(getattr(made, "columns", ()))
    if idle := sorted(declared - set(seen["anyone"])) if not seen["whole"] else []:
        yield f"it declares the column {idle[0]!r} and never reads it: specs whose rows lack it are refused for nothing"
    chosen = set(_iter_nested_texts(made.model_dump(mode="json")))
    if secret := sorted(set(seen["own"]) - declared - chosen) if not seen["whole"] else []:
        yield (f"it reads the column {secret[0]!r} and does not declare it: a build would fail half-way; add it to "
               "columns, or read it by .get")


def _iter_nested_texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value: a column that a field names was chosen by the spec."""
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _iter_nested_texts(each)


