"""One spec on its way: the merged nodes, what is wrong with them, and the plugins that their blocks became."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from factory import identity
from factory.api import Curator, Plugin
from factory.errors import FactoryError, PluginError, Problem
from factory.spec.blocks import PluginLookup, find_role_at, iterate_plugin_blocks
from factory.spec.fields import Spec
from factory.spec.messages import format_expectation, get_expected_form, suggest_known_name, translate_validation_error
from factory.yaml import Node, NodePath, SourceLocation, format_path

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
ErrorFilter = Callable[[NodePath, str], bool]
"""Whether an error at some steps, of some pydantic type, is better left unsaid."""


@dataclass
class SpecDraft:
    """A merged spec under one profile. `say` finds the place of a problem; `kinds` holds the class of every block that
    names one, `plugins` the blocks that are well.
    """

    file: str
    tree: Node
    task: str
    profile: str = ""
    spec: Spec | None = None
    plugin_classes: dict[NodePath, type[Plugin]] = field(default_factory=dict)
    plugins: dict[NodePath, Plugin] = field(default_factory=dict)
    metric_curators: dict[str, Curator] = field(default_factory=dict)
    """Metric of `data.require` → the curator that measures it."""
    problems: dict[Problem, str] = field(default_factory=dict)
    """Problem → what to add to its message when only this profile has it."""

    def add_problem(self, steps: NodePath, text: str) -> None:
        """Record a problem at the deepest of these steps that a person has written."""
        place = find_nearest_place(self.tree, steps)
        if place.origin == "task":
            text = f"{text} (a default of the task {self.task!r})"
        inside = not self.profile or (place.origin == "profile" and place.line)
        told = build_problem_at(self.file, self.tree, steps, text)
        self.problems.setdefault(told, "" if inside else f" (with profile {self.profile!r})")

    def list_plugins_below(self, *steps: str | int) -> list[tuple[NodePath, Plugin]]:
        """The plugins below some steps, in order."""
        return [(place, plugin) for place, plugin in self.plugins.items() if place[: len(steps)] == steps]

    def get_field_text(self, *steps: str) -> str:
        """The text that some layer gives a field, or nothing."""
        node = self.tree.find(steps)
        return node.value if node and isinstance(node.value, str) else ""

    def has_only_valid_blocks(self, *steps: str) -> bool:
        """Whether there is such a list and every block of it became a plugin."""
        node = self.tree.find(steps)
        return node is not None and isinstance(node.value, list) and len(self.list_plugins_below(*steps)) == len(node.value)


def find_nearest_place(top: Node, steps: NodePath) -> SourceLocation:
    """Where these steps stand or, when nothing is there, the deepest of them that a person has written."""
    node, place = top, top.location
    for step in steps:
        child = node.get_child(step)
        if child is None:
            return place
        node, place = child, child.location if child.location.line or child.location.within else place
    return node.location


def build_problem_at(file: str, top: Node, steps: NodePath, text: str) -> Problem:
    """A problem with its position: in the file, in a profile of the file, or in an option of the command line."""
    place, name = find_nearest_place(top, steps), format_path(steps)
    if place.origin == "command line":
        same = place.within.startswith(f"--set {name}=")
        return Problem(place.within, 0, 0, "" if same else name, text)
    if not place.line:  # the task said it
        place = find_nearest_place(top, ("task",))
    within = f"{place.within}." if place.within else ""
    return Problem(file, place.line, place.column, within + name, text)


def validate_node(model: type[M], node: Node, draft: SpecDraft, at: NodePath = (), skip: ErrorFilter | None = None) -> M | None:
    """A model of a node's value, or None after its problems were said."""
    try:
        return model.model_validate_json(identity.encode_canonical(node.to_plain()), strict=True)
    except ValidationError as error:
        for steps, text, kind in _group_validation_errors(error, model, node, at):
            if skip is None or not skip((*at, *steps), kind):
                draft.add_problem((*at, *steps), text)
        return None


def _group_validation_errors(error: ValidationError, model: type[BaseModel], node: Node, at: NodePath) -> list[tuple[NodePath, str, str]]:
    """Errors by place; what the members of a union each ask for becomes one line."""
    found: dict[NodePath, list[Mapping[str, Any]]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_locate_error_steps(detail, node), []).append(detail)
    told = []
    for steps, details in found.items():
        wants = [get_expected_form(detail) for detail in details]
        if find_role_at((*at, *steps)) and all(wants):
            text = format_expectation(["a kind, alone or in a mapping with its fields"], details[0]["input"])
        elif len(details) > 1 and all(wants):
            text = format_expectation(wants, details[0]["input"])
        else:
            text = translate_validation_error(details[0], model, steps)
        told.append((steps, text, str(details[0]["type"])))
    return told


def _locate_error_steps(detail: Mapping[str, Any], node: Node) -> NodePath:
    """The place of an error: pydantic's location without the names of union members and validators."""
    steps: list[str | int] = []
    at: Node | None = node
    last = len(detail["loc"]) - 1
    for number, step in enumerate(detail["loc"]):
        child = at.get_child(step) if at else None
        if child is not None or (number == last and detail["type"] in ("missing", "extra_forbidden")):
            steps.append(step)
            at = child
    return tuple(steps)


def instantiate_blocks(draft: SpecDraft, registry: PluginLookup) -> None:
    """Make every block the plugin that it names, or say why it can not be."""
    for steps, role, node in iterate_plugin_blocks(draft.tree):
        if isinstance(node.value, dict):
            plugin = _instantiate_block(draft, steps, role, node, registry)
            if plugin is not None:
                draft.plugins[steps] = plugin


def _instantiate_block(draft: SpecDraft, steps: NodePath, role: str, node: Node, registry: PluginLookup) -> Plugin | None:
    kind = node.get_child("kind")
    if kind is None or not isinstance(kind.value, str):
        known = suggest_known_name("", (found.kind for found in registry.list_classes(role)))
        text = f"missing; say which {role}; {known}" if kind is None else format_expectation(["text"], kind.to_plain())
        draft.add_problem((*steps, "kind"), text)
        return None
    try:
        found = registry.find(role, kind.value)
    except FactoryError as error:
        draft.add_problem((*steps, "kind"), str(error))
        return None
    draft.plugin_classes[steps] = found
    fields = Node({name: child for name, child in node.value.items() if name != "kind"}, node.location)
    return validate_node(found, fields, draft, steps)


def call_plugin_method(plugin: str, call: Callable[[], T]) -> T:
    """What a plugin's method returns; what it raises becomes a PluginError that names it."""
    try:
        return call()
    except FactoryError:
        raise
    except Exception as error:
        raise PluginError(f"{plugin}: {type(error).__name__}: {error}") from error
