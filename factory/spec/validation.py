"""Validation of a merged spec: its problems with their positions, and the plugins made from its blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from factory import identity
from factory.api import Curator, Plugin
from factory.errors import FactoryError, PluginError, Problem
from factory.registry.registry import Registry
from factory.spec.blocks import find_role_at, iterate_plugin_blocks
from factory.spec.fields import Spec
from factory.spec.messages import format_expectation, get_expected_form, translate_validation_error
from factory.text.suggestions import suggest_known_name
from factory.yaml import Node, NodePath, SourceLocation, format_path

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
ErrorFilter = Callable[[NodePath, str], bool]
"""Whether to skip an error, given its path and pydantic error type."""


@dataclass
class SpecDraft:
    """A merged spec under one profile: the class of every block with a known kind, the plugins of the valid blocks, and
    the problems found so far.
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
    """Problem → suffix of its message if only this profile has it."""
    places: Mapping[NodePath, NodePath] = field(default_factory=dict)
    """Path in this tree → path in the spec as it was written, where a step of training has blocks of its own."""
    own_rows: tuple[str, ...] = ()
    """Of a step: which of sources, synthesize and curate it has of its own."""
    step_drafts: list[SpecDraft] = field(default_factory=list)
    """The draft of each step of training, if the spec has a list of them."""
    step_plugins: list[Plugin] = field(default_factory=list)
    """The plugins that only steps of training have."""

    def add_problem(self, steps: NodePath, text: str) -> None:
        """Record a problem at the deepest step of the path that the spec contains."""
        location = find_nearest_location(self.tree, steps)
        if location.origin == "task":
            text = f"{text} (a default of the task {self.task!r})"
        # A problem inside `profiles.NAME` names the profile by its path already.
        names_profile = self.profile and not (location.origin == "profile" and location.line)
        problem = build_problem_at(self.file, self.tree, steps, text, self.locate_written(steps))
        self.problems.setdefault(problem, f" (with profile {self.profile!r})" if names_profile else "")

    def locate_written(self, steps: NodePath) -> NodePath:
        """Return the path of a value in the spec as it was written."""
        lengths = (length for length in range(len(steps), 0, -1) if steps[:length] in self.places)
        length = next(lengths, 0)
        return (*self.places[steps[:length]], *steps[length:]) if length else steps

    def list_plugins_below(self, *steps: str | int) -> list[tuple[NodePath, Plugin]]:
        """List paths and plugins below a path, in order."""
        return [(path, plugin) for path, plugin in self.plugins.items() if path[: len(steps)] == steps]

    def get_value(self, *steps: str) -> Any:
        """Return the value of a node, which may be a mapping or list of nodes; None if it is not set."""
        node = self.tree.find(steps)
        return node.value if node else None

    def get_field_text(self, *steps: str) -> str:
        """Return the text of a field; empty if it is not set, or is not text."""
        value = self.get_value(*steps)
        return value if isinstance(value, str) else ""

    def list_items(self, *steps: str) -> list[Node]:
        """Return the items of a list; empty if it is not set, or is not a list."""
        value = self.get_value(*steps)
        return value if isinstance(value, list) else []

    def has_only_valid_blocks(self, *steps: str) -> bool:
        """Return whether there is a list at this path and all its blocks are valid."""
        blocks = self.get_value(*steps)
        return isinstance(blocks, list) and len(self.list_plugins_below(*steps)) == len(blocks)


def find_nearest_location(top: Node, steps: NodePath) -> SourceLocation:
    """Return the location of a path or, if it does not exist, of its deepest step that does."""
    node, location = top, top.location
    for step in steps:
        child = node.get_child(step)
        if child is None:
            return location
        node, location = child, child.location if child.location.line or child.location.within else location
    return node.location


def build_problem_at(file: str, top: Node, steps: NodePath, text: str, written: NodePath = ()) -> Problem:
    """Return a problem with its position in the file, in a profile of the file, or in a command-line option.

    `written` is the path as users know it, where it is another one than in this tree.
    """
    location, name = find_nearest_location(top, steps), format_path(written or steps)
    if location.origin == "command line":
        is_option_path = location.within.startswith(f"--set {name}=")
        return Problem(location.within, 0, 0, "" if is_option_path else name, text)
    if not location.line:  # a default of the task: point at the task
        location = find_nearest_location(top, ("task",))
    within = f"{location.within}." if location.within else ""
    return Problem(file, location.line, location.column, within + name, text)


def validate_node(
    model: type[M], node: Node, draft: SpecDraft, at: NodePath = (), skip: ErrorFilter | None = None
) -> M | None:
    """Return a model of a node's value, or None after adding its problems to the draft."""
    # JSON mode is strict about types, yet accepts a list for a tuple and text for a path or an enum.
    try:
        return model.model_validate_json(identity.encode_canonical(node.to_plain()), strict=True)
    except ValidationError as error:
        for steps, text, kind in _group_validation_errors(error, model, node, at):
            if skip is None or not skip((*at, *steps), kind):
                draft.add_problem((*at, *steps), text)
        return None


def _group_validation_errors(
    error: ValidationError, model: type[BaseModel], node: Node, at: NodePath
) -> list[tuple[NodePath, str, str]]:
    """List path, message and pydantic error type, one per path: the members of a union report an error each."""
    errors_by_path: dict[NodePath, list[Mapping[str, Any]]] = {}
    for detail in error.errors(include_url=False):
        errors_by_path.setdefault(_locate_error_steps(detail, node), []).append(detail)
    messages = []
    for steps, details in errors_by_path.items():
        expected = [get_expected_form(detail) for detail in details]
        if find_role_at((*at, *steps)) and all(expected):
            text = format_expectation(["a kind, alone or in a mapping with its fields"], details[0]["input"])
        elif len(details) > 1 and all(expected):
            text = format_expectation(expected, details[0]["input"])
        else:
            text = translate_validation_error(details[0], model, steps)
        messages.append((steps, text, str(details[0]["type"])))
    return messages


def _locate_error_steps(detail: Mapping[str, Any], node: Node) -> NodePath:
    """Return pydantic's location of an error without the names of union members and validators."""
    # Those names are steps that lead to no child of the node; a missing or extra field is always the last step.
    steps: list[str | int] = []
    parent: Node | None = node
    last = len(detail["loc"]) - 1
    for number, step in enumerate(detail["loc"]):
        child = parent.get_child(step) if parent else None
        if child is not None or (number == last and detail["type"] in ("missing", "extra_forbidden")):
            steps.append(step)
            parent = child
    return tuple(steps)


def instantiate_blocks(draft: SpecDraft, registry: Registry) -> None:
    """Create the plugin of every block, or add the problems that prevent it."""
    for steps, role, node in iterate_plugin_blocks(draft.tree):
        if isinstance(node.value, dict) and (plugin := _instantiate_block(draft, steps, role, node, registry)):
            draft.plugins[steps] = plugin


def _instantiate_block(draft: SpecDraft, at: NodePath, role: str, node: Node, registry: Registry) -> Plugin | None:
    kind = node.get_child("kind")
    if kind is None or not isinstance(kind.value, str):
        known = suggest_known_name("", (plugin_class.kind for plugin_class in registry.list_classes(role)))
        text = f"missing; name the {role}; {known}" if kind is None else format_expectation(["text"], kind.to_plain())
        draft.add_problem((*at, "kind"), text)
        return None
    try:
        plugin_class = registry.find(role, kind.value).get_variant(node.to_plain())
    except FactoryError as error:
        draft.add_problem((*at, "kind"), str(error))
        return None
    draft.plugin_classes[at] = plugin_class
    fields = Node({name: child for name, child in node.value.items() if name != "kind"}, node.location)
    return validate_node(plugin_class, fields, draft, at)


def call_plugin_method(plugin: str, call: Callable[[], T]) -> T:
    """Call a plugin's method. Raises PluginError that names the plugin for any error but a FactoryError."""
    try:
        return call()
    except FactoryError:
        raise
    except Exception as error:
        raise PluginError(f"{plugin}: {type(error).__name__}: {error}") from error
