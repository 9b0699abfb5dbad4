"""pydantic's errors as short lines of our own: what is wrong, and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

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


def suggest_known_name(name: str, known: Iterable[str], none: str = "none") -> str:
    """The nearest known name as a question, or all that are known."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1) or difflib.get_close_matches(name.lower(), names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or none}"


def get_expected_form(error: Mapping[str, Any]) -> str:
    """The form of value that a type error asks for, or nothing when it is no type error."""
    name, _, what = str(error["type"]).partition("_")
    return EXPECTED_FORMS.get(name, "") if what.endswith(("type", "parsing", "from_float", "required", "parsing_size")) else ""


def format_expectation(wants: Iterable[str], value: Any) -> str:
    """`expected a whole number, got '400'; remove the quotes`"""
    forms = [form for form in dict.fromkeys(wants) if form]
    if "a number" in forms:
        forms = [form for form in forms if form != "a whole number"]
    hint = ""
    if isinstance(value, str) and value.lower() in BOOLEAN_WORDS and "true or false" in forms:
        hint = f"; write {BOOLEAN_WORDS[value.lower()]}"
    elif isinstance(value, str) and NUMBER_PATTERN.fullmatch(value) and any("number" in form for form in forms):
        hint = "; remove the quotes"
    elif isinstance(value, bool | int | float | dict) and "text" in forms:
        hint = "; put it in quotes"
    elif isinstance(value, str | dict) and forms == ["a list"]:
        hint = "; put it in [ ] or after a `- `"
    elif value is None:
        block = "a mapping of fields" in forms
        hint = "; its fields stand below it, indented" if block else "; give a value or remove it"
    return f"expected {' or '.join(forms)}, got {format_value(value)}{hint}"


def translate_validation_error(error: Mapping[str, Any], model: type[BaseModel], steps: NodePath) -> str:
    """One validation error of a model in our words; `steps` lead from the model to the value."""
    what, value, context = str(error["type"]), error["input"], error.get("ctx", {})
    if what == "missing":
        return "missing" + (_suggest_only_value(model, steps) or _suggest_required_subfields(model, steps) or _format_field_description(model, steps, "; add it: "))
    if what == "extra_forbidden":
        return f"no such field; {suggest_known_name(str(steps[-1]), list_fields_at(model, steps[:-1]), 'no fields')}"
    if what in ("literal_error", "enum"):
        return f"expected {context['expected']}, got {format_value(value)}{_suggest_nearest_choice(value, context['expected'])}"
    if what in LIMIT_WORDS:
        name, words = LIMIT_WORDS[what]
        return f"must be {words} {context[name]:g}, got {format_value(value)}"
    if what == "string_pattern_mismatch":
        return f"expected {_format_field_description(model, steps, '') or 'text like ' + context['pattern']}, got {format_value(value)}"
    if what.endswith(("too_short", "too_long")):
        return _describe_length_error(what, context, value) + _format_field_description(model, steps, ": ")
    if what in ("value_error", "assertion_error"):
        return str(context["error"]).splitlines()[0]
    return format_expectation([get_expected_form(error)], value) if get_expected_form(error) else _format_plain_error(error)


def find_field_at(model: type[BaseModel], steps: NodePath) -> FieldInfo | None:
    """The field that some steps lead to; list indices are stepped over."""
    names = [step for step in steps if isinstance(step, str)]
    for name in names[:-1]:
        field = model.model_fields.get(name)
        inner = next(iterate_annotation_models(field.annotation), None) if field else None
        if inner is None:
            return None
        model = inner
    return model.model_fields.get(names[-1]) if names else None


def list_fields_at(model: type[BaseModel], steps: NodePath) -> list[str]:
    """The names of the fields that may stand below some steps."""
    field = find_field_at(model, steps)
    inner = next(iterate_annotation_models(field.annotation), None) if field else None
    if not any(isinstance(step, str) for step in steps):
        inner = model
    return list(inner.model_fields) if inner else []


def iterate_annotation_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation names: one in `Names`, one in `list[Names] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from iterate_annotation_models(inner)


def _format_field_description(model: type[BaseModel], steps: NodePath, lead: str) -> str:
    field = find_field_at(model, steps)
    return f"{lead}{field.description}" if field and field.description else ""


def _suggest_only_value(model: type[BaseModel], steps: NodePath) -> str:
    field = find_field_at(model, steps)
    values = get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
    return f"; add `{steps[-1]}: {values[0]}`" if len(values) == 1 else ""


def _suggest_required_subfields(model: type[BaseModel], steps: NodePath) -> str:
    field = find_field_at(model, steps)
    inner = next(iterate_annotation_models(field.annotation), None) if field else None
    needed = inner.model_fields.items() if inner else ()
    below = [f"{format_path(steps)}.{name}: {one.description}" for name, one in needed if one.is_required()]
    return f"; add {', '.join(below)}" if below else ""


def _suggest_nearest_choice(value: Any, choices: str) -> str:
    names = re.findall(r"'([^']*)'", choices)
    near = difflib.get_close_matches(str(value).lower(), names, n=1) if len(names) > 1 else []
    return f"; did you mean {near[0]!r}?" if near else ""


def _describe_length_error(what: str, context: Mapping[str, Any], value: Any) -> str:
    limit = context.get("min_length") if what.endswith("short") else context.get("max_length")
    words = "at least" if what.endswith("short") else "at most"
    unit = "character" if isinstance(value, str) else "item"
    return f"needs {words} {limit} {unit}{'' if limit == 1 else 's'}, has {len(value)}"


def _format_plain_error(error: Mapping[str, Any]) -> str:
    text = str(error["msg"]).splitlines()[0]
    return f"{text[:1].lower()}{text[1:]}, got {format_value(error['input'])}"
