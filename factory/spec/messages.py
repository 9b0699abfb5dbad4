"""Error messages for invalid specs: pydantic errors as one line each, with the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from factory.api import Endpoint, Plugin
from factory.spec.renamed_keys import RENAMED_KEYS
from factory.text.suggestions import suggest_known_name, suggest_near_name
from factory.yaml import NodePath, format_path, format_value

EXPECTED_FORMS = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "text", "dict": "a mapping",
    "model": "a mapping of fields", "list": "a list", "tuple": "a list", "set": "a list", "frozen": "a list",
    "path": "a path", "none": "nothing", "iterable": "a list", "mapping": "a mapping", "decimal": "a number",
}
LIMIT_WORDS = {
    "greater_than": ("gt", "above"), "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"), "less_than_equal": ("le", "at most"),
}
BOOLEAN_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
NUMBER_PATTERN = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?")


def get_expected_form(error: Mapping[str, Any]) -> str:
    """Return the expected form of a value, such as `a list` or `'auto'`; empty if the error is not about it."""
    if error["type"] == "literal_error":
        return str(error["ctx"]["expected"])
    name, _, what = str(error["type"]).partition("_")
    is_type_error = what.endswith(("type", "parsing", "from_float", "required", "parsing_size"))
    return EXPECTED_FORMS.get(name, "") if is_type_error else ""


def format_expectation(expected: Iterable[str], value: Any) -> str:
    """Return a message such as `expected a whole number, got '400'; remove the quotes`."""
    forms = [form for form in dict.fromkeys(expected) if form]
    if "a number" in forms:  # a union of int and float reports both
        forms = [form for form in forms if form != "a whole number"]
    hint = ""
    if isinstance(value, str) and value.lower() in BOOLEAN_WORDS and "true or false" in forms:
        hint = f"; write {BOOLEAN_WORDS[value.lower()]}"
    elif isinstance(value, str) and NUMBER_PATTERN.fullmatch(value) and any("number" in form for form in forms):
        hint = "; remove the quotes"
    elif isinstance(value, bool | int | float | dict) and "text" in forms:
        hint = "; put it in quotes"
    elif isinstance(value, str | dict) and forms == ["a list"]:
        hint = "; write it in [ ] or after `- `"
    elif value is None:
        block = "a mapping of fields" in forms
        hint = "; indent its fields below it" if block else "; give a value or remove it"
    return f"expected {' or '.join(forms)}, got {format_value(value)}{hint}"


def translate_validation_error(error: Mapping[str, Any], model: type[BaseModel], steps: NodePath) -> str:
    """Return the message of a validation error; `steps` is the path from the model to the value."""
    what, value, context = str(error["type"]), error["input"], error.get("ctx", {})
    if what == "missing":
        return _describe_missing_field(model, steps)
    if what == "extra_forbidden":
        return _describe_unknown_field(model, steps)
    if what in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", context["expected"])
        hint = suggest_near_name(str(value), choices) if len(choices) > 1 else ""
        return f"expected {context['expected']}, got {format_value(value)}{hint}"
    if what in LIMIT_WORDS:
        name, words = LIMIT_WORDS[what]
        return f"must be {words} {context[name]:g}, got {format_value(value)}"
    if what == "string_pattern_mismatch":
        expected = _format_field_description(model, steps, "") or f"text matching {context['pattern']}"
        return f"expected {expected}, got {format_value(value)}"
    if what.endswith(("too_short", "too_long")):
        return _describe_length_error(what, context, value) + _format_field_description(model, steps, ": ")
    if what in ("value_error", "assertion_error"):
        return str(context["error"]).splitlines()[0]
    if form := get_expected_form(error):
        return format_expectation([form], value)
    text = str(error["msg"]).splitlines()[0]
    return f"{text[:1].lower()}{text[1:]}, got {format_value(value)}"


def _describe_unknown_field(model: type[BaseModel], steps: NodePath) -> str:
    """Return the new name of a renamed field, else the closest known field."""
    *parents, name = (step for step in steps if isinstance(step, str))
    owner = find_field_at(model, tuple(parents))
    if owner and Endpoint in iterate_annotation_models(owner.annotation):
        block = "endpoint"
    else:
        block = ".".join([f"{model.role}:{model.kind}", *parents] if issubclass(model, Plugin) else parents)
    if new_name := RENAMED_KEYS.get(block, {}).get(name):
        return f"unknown field; it is called {new_name!r} now"
    return f"unknown field; {suggest_known_name(name, list_fields_at(model, steps[:-1]), 'no fields')}"


def _describe_missing_field(model: type[BaseModel], steps: NodePath) -> str:
    """Return what to add: the only possible value, the required fields of a block, or the description."""
    field, block = find_field_at(model, steps), find_model_at(model, steps)
    values = get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
    if len(values) == 1:
        return f"missing; add `{steps[-1]}: {values[0]}`"
    fields = block.model_fields.items() if block else ()
    required = [f"{format_path((*steps, name))}: {inner.description}" for name, inner in fields if inner.is_required()]
    if required:
        return f"missing; add {', '.join(required)}"
    return f"missing{_format_field_description(model, steps, '; add it: ')}"


def find_model_at(model: type[BaseModel], steps: Iterable[str | int]) -> type[BaseModel] | None:
    """Return the model at a path, ignoring list indices; None if there is none."""
    for name in steps:
        if isinstance(name, str):
            field = model.model_fields.get(name)
            inner = next(iterate_annotation_models(field.annotation), None) if field else None
            if inner is None:
                return None
            model = inner
    return model


def find_field_at(model: type[BaseModel], steps: NodePath) -> FieldInfo | None:
    """Return the field at a path, ignoring list indices; None if there is none."""
    names = [step for step in steps if isinstance(step, str)]
    block = find_model_at(model, names[:-1])
    return block.model_fields.get(names[-1]) if block and names else None


def list_fields_at(model: type[BaseModel], steps: NodePath) -> list[str]:
    """List the field names of the model at a path."""
    block = find_model_at(model, steps)
    return list(block.model_fields) if block else []


def iterate_annotation_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation, such as `Names` in `list[Names] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from iterate_annotation_models(inner)


def _format_field_description(model: type[BaseModel], steps: NodePath, lead: str) -> str:
    field = find_field_at(model, steps)
    return f"{lead}{field.description}" if field and field.description else ""


def _describe_length_error(what: str, context: Mapping[str, Any], value: Any) -> str:
    words, name = ("at least", "min_length") if what.endswith("short") else ("at most", "max_length")
    unit = "character" if isinstance(value, str) else "item"
    return f"needs {words} {context[name]} {unit}{'' if context[name] == 1 else 's'}, has {len(value)}"
