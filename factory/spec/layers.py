"""The layers of a spec, lowest first: fields' defaults, the task's, its profile, the spec, its profile, the options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from factory.api import Contender, Curator, Eval, Objective, Plugin, Source, Synthesizer, Target, Task
from factory.errors import FactoryError, Problem, SpecError
from factory.spec.blocks import PluginLookup, SpecOverride, expand_bare_kinds, find_role_at, overlay_nodes
from factory.spec.checks import check_spec
from factory.spec.fields import Spec
from factory.spec.messages import suggest_known_name
from factory.spec.validation import SpecDraft, build_problem_at, call_plugin_method, instantiate_blocks, validate_node
from factory.yaml import Node, NodePath, SourceLocation, build_node, format_path, read_spec_file

FULL_PROFILE = "full"
"""The profile that every spec has; it changes nothing unless the spec or its task says otherwise."""


@dataclass(frozen=True, slots=True)
class ResolvedValue:
    """One leaf of a resolved spec. `origin` is default, task, profile, spec or command line; `line` is in the spec."""

    path: str
    value: Any
    origin: str
    line: int | None


@dataclass(frozen=True, slots=True)
class ResolvedSpec:
    """A spec with nothing left open. `root` is its folder, to which `Input` paths are relative."""

    spec: Spec
    file: Path
    root: Path
    profile: str
    values: tuple[ResolvedValue, ...]
    task: Task
    sources: tuple[Source, ...]
    synthesizers: tuple[Synthesizer, ...]
    curators: tuple[Curator, ...]
    metric_curators: tuple[Curator, ...]
    """The curators that measure what `data.require` names, as the spec sets them or by their defaults."""
    objective: Objective
    contenders: tuple[Contender, ...]
    evals: tuple[Eval, ...]
    targets: tuple[Target, ...]


def resolve_spec(path: Path, *, profile: str = "", overrides: Sequence[str] = (), registry: PluginLookup) -> ResolvedSpec:
    """Read a spec and settle every value. Raises SpecError with all that is wrong, profiles not chosen included."""
    written = expand_bare_kinds(read_spec_file(path))
    options, problems = _parse_spec_overrides(overrides)
    layers = _SpecLayers(str(path), written, _find_task_class(written, registry), options)
    problems += layers.find_profile_problems(profile)
    chosen = "" if profile == FULL_PROFILE and not layers.has_profile(FULL_PROFILE) else profile
    drafts = {name: _draft_profile(layers, name, path.parent, registry) for name in ("", chosen, *layers.spec_profiles)}
    problems += _merge_profile_problems(drafts, chosen)
    if problems:
        raise SpecError(problems)
    return _build_resolved_spec(drafts[chosen], path, profile)


def _merge_profile_problems(drafts: Mapping[str, SpecDraft], chosen: str) -> list[Problem]:
    """The problems of all profiles, each once; what the options do to a profile that was not chosen is left unsaid."""
    seen: set[Problem] = set()
    told: list[Problem] = []
    for name, draft in drafts.items():
        fresh = [found for found in draft.problems if found not in seen and (found.line or name == chosen)]
        told += [replace(found, message=found.message + draft.problems[found] * bool(found.line)) for found in fresh]
        seen.update(fresh)
    return told


def _parse_spec_overrides(overrides: Sequence[str]) -> tuple[list[SpecOverride], list[Problem]]:
    options: list[SpecOverride] = []
    problems: list[Problem] = []
    for text in overrides:
        try:
            options.append(SpecOverride(text))
        except SpecError as error:
            problems += error.problems
    return options, problems


def _find_task_class(written: Node, registry: PluginLookup) -> type[Task] | None:
    kind = written.find(("task", "kind"))
    try:
        return cast("type[Task]", registry.find("task", kind.value)) if kind and isinstance(kind.value, str) else None
    except FactoryError:
        return None  # said where all blocks are narrowed


class _SpecLayers:
    """The layers of one spec, and what they come to under a profile."""

    def __init__(self, file: str, written: Node, task: type[Task] | None, options: Sequence[SpecOverride]) -> None:
        self.file, self.spec_node, self.task, self.overrides = file, written, task, options
        self.task_kind = task.kind if task else ""
        self.task_defaults = call_plugin_method(f"task {self.task_kind!r}", task.get_defaults) if task else {}
        self.task_profiles = call_plugin_method(f"task {self.task_kind!r}", task.get_profiles) if task else {}
        profiles = written.get_child("profiles")
        found = profiles.value if profiles and isinstance(profiles.value, dict) else {}
        self.spec_profiles: dict[str, Node] = {name: node for name, node in found.items() if isinstance(node.value, dict)}

    def has_profile(self, profile: str) -> bool:
        """Whether the task or the spec says what a profile is."""
        return profile in self.task_profiles or profile in self.spec_profiles

    def find_profile_problems(self, profile: str) -> list[Problem]:
        """What can be said of the profiles without merging them."""
        text = "a profile can not say this; only the spec itself can"
        told = [
            build_problem_at(self.file, self.spec_node, ("profiles", name, field), text)
            for name, node in self.spec_profiles.items() for field in ("profiles", "apiVersion") if field in node.value
        ]
        known = {FULL_PROFILE, *self.task_profiles, *self.spec_profiles}
        if self.task and profile and profile not in known:
            told.append(Problem(f"--profile {profile}", 0, 0, "", f"no such profile; {suggest_known_name(profile, known)}"))
        return told

    def merge_layers(self, profile: str) -> tuple[Node, list[Problem]]:
        """All layers as one tree, and what is wrong with options that lead nowhere."""
        top = expand_bare_kinds(build_node(self.task_defaults, SourceLocation("task")))
        top = overlay_nodes(top, expand_bare_kinds(build_node(self.task_profiles.get(profile, {}), SourceLocation("profile"))))
        top = overlay_nodes(top, self.spec_node)
        if profile in self.spec_profiles:
            fields = Node({n: c for n, c in self.spec_profiles[profile].value.items() if n != "profiles"}, top.location)
            top = overlay_nodes(top, expand_bare_kinds(_mark_profile_origin(fields, f"profiles.{profile}")))
        problems: list[Problem] = []
        for option in self.overrides:
            try:
                top = option.apply_override(top)
            except SpecError as error:
                problems += error.problems
        return top, problems


def _mark_profile_origin(node: Node, profile: str) -> Node:
    """The nodes of a profile, each knowing so."""
    value = node.value
    if isinstance(value, dict):
        value = {name: _mark_profile_origin(child, profile) for name, child in value.items()}
    elif isinstance(value, list):
        value = [_mark_profile_origin(child, profile) for child in value]
    return Node(value, SourceLocation("profile", node.location.line, node.location.column, profile))


def _draft_profile(layers: _SpecLayers, profile: str, root: Path, registry: PluginLookup) -> SpecDraft:
    top, problems = layers.merge_layers(profile)
    draft = SpecDraft(layers.file, top, layers.task_kind, profile, problems=dict.fromkeys(problems, ""))
    draft.spec = validate_node(Spec, top, draft, skip=_is_reported_elsewhere if layers.task else _is_reported_or_task_default)
    instantiate_blocks(draft, registry)
    check_spec(draft, root, registry)
    return draft


def _is_reported_elsewhere(steps: NodePath, kind: str) -> bool:
    """Whether a check says the same in better words: which contender is lacking, rather than how many."""
    return steps == ("contenders",) and kind == "too_short"


def _is_reported_or_task_default(steps: NodePath, kind: str) -> bool:
    """The same, or whether a field may only be missing because the task, which brings defaults, is not known."""
    here = (("apiVersion",), ("name",), ("task",), ("models",))
    return _is_reported_elsewhere(steps, kind) or (kind == "missing" and steps not in here)


def _build_resolved_spec(draft: SpecDraft, path: Path, profile: str) -> ResolvedSpec:
    spec, plugins = cast(Spec, draft.spec), draft.plugins

    def some(*steps: str) -> tuple[Any, ...]:
        return tuple(plugin for _, plugin in draft.list_plugins_below(*steps))

    return ResolvedSpec(
        spec=spec, file=path, root=path.parent, profile=profile,
        values=tuple(_list_resolved_values(spec, plugins, draft.tree)),
        task=cast(Task, plugins[("task",)]), objective=cast(Objective, plugins[("objective",)]),
        sources=some("data", "sources"), synthesizers=some("data", "synthesize"), curators=some("data", "curate"),
        metric_curators=tuple(draft.metric_curators.values()),
        contenders=some("contenders"), evals=some("evaluate"), targets=some("targets"),
    )


def _list_resolved_values(spec: Spec, plugins: Mapping[NodePath, Plugin], top: Node) -> Iterator[ResolvedValue]:
    for name, value in spec.model_dump(mode="json", exclude={"profiles"}).items():
        yield from _walk_leaf_values((name,), value, plugins, top)


def _walk_leaf_values(steps: NodePath, value: Any, plugins: Mapping[NodePath, Plugin], top: Node) -> Iterator[ResolvedValue]:
    if find_role_at(steps):
        value = plugins[steps].to_block()
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _walk_leaf_values((*steps, name), child, plugins, top)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, child in enumerate(value):
            yield from _walk_leaf_values((*steps, number), child, plugins, top)
    else:
        place = _find_leaf_place(top.find(steps))
        yield ResolvedValue(format_path(steps), value, place.origin, place.line or None)


def _find_leaf_place(node: Node | None) -> SourceLocation:
    """Who said a leaf; one item of a list that the command line changed speaks for the list."""
    if node is None:
        return SourceLocation("default")
    items = node.value if isinstance(node.value, list) else []
    return next((item.place for item in items if item.place.origin == "command line"), node.location)
