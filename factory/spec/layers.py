"""Resolution of a spec from its layers.

Lowest first: field defaults, task defaults, the task's profile, the spec, the spec's profile, `--set` options.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from factory.api import Contender, Curator, Eval, Objective, Source, Synthesizer, Target, Task
from factory.api.training_args import FIELDS_BY_KIND
from factory.errors import FactoryError, Problem, SpecError
from factory.registry.registry import Registry
from factory.spec.adapter_defaults import apply_adapter_defaults
from factory.spec.blocks import SpecOverride, expand_bare_kinds, find_role_at, overlay_nodes
from factory.spec.checks import check_spec
from factory.spec.fields import Spec
from factory.spec.incumbents import IncumbentSearch
from factory.spec.step_checks import check_step
from factory.spec.training_steps import DATA, OBJECTIVE, build_answering_tree, find_misplaced_fields, list_step_trees
from factory.spec.validation import SpecDraft, build_problem_at, call_plugin_method, instantiate_blocks, validate_node
from factory.text.suggestions import suggest_known_name
from factory.yaml import Node, NodePath, SourceLocation, build_node, format_path, read_spec_file

FULL_PROFILE = "full"
"""Profile that every spec has; it changes nothing unless the spec or its task defines it."""
FIELDS_WITHOUT_DEFAULT = (("apiVersion",), ("name",), ("task",), ("models",))
"""Required fields that no task provides."""


@dataclass(frozen=True, slots=True)
class ResolvedValue:
    """One leaf of a resolved spec. `origin` is default, task, profile, spec, command line, or the field that it follows
    from; `line` is in the spec."""

    path: str
    value: Any
    origin: str
    line: int | None


@dataclass(frozen=True, slots=True)
class ResolvedSpec:
    """A spec with all values set and all plugins created. `Input` paths are relative to `root`, its folder."""

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
    """The curators that measure metrics of `data.require`, as `data.curate` sets them or with their defaults."""
    objective: Objective
    contenders: tuple[Contender, ...]
    evals: tuple[Eval, ...]
    targets: tuple[Target, ...]
    incumbents: Mapping[str, IncumbentSearch] = field(default_factory=dict)
    """Kind of a contender that is a version of a specialist → what its alias points to, once that was looked up."""
    steps: tuple[ResolvedSpec, ...] = ()
    """The spec of each step of training, of which the last one's objective answers; empty for a single objective."""
    own_rows: tuple[str, ...] = ()
    """Of a step: which of sources, synthesize and curate it has of its own."""


def resolve_spec(path: Path, *, profile: str = "", overrides: Sequence[str] = (), registry: Registry) -> ResolvedSpec:
    """Read and validate a spec. Raises SpecError with all problems, those of unselected profiles included."""
    written = expand_bare_kinds(read_spec_file(path))
    options, problems = _parse_spec_overrides(overrides)
    layers = _SpecLayers(str(path), written, _find_task_class(written, options, registry), options)
    problems += layers.find_profile_problems(profile)
    known = {**layers.task_profiles, **layers.spec_profiles}
    chosen = "" if profile == FULL_PROFILE and profile not in known else profile
    # Every profile is checked: a mistake in one should not wait until somebody selects it.
    drafts = {name: _draft_profile(layers, name, path.parent, registry) for name in ("", chosen, *layers.spec_profiles)}
    problems += _merge_profile_problems(drafts, chosen)
    if problems:
        raise SpecError(problems)
    return _build_resolved_spec(drafts[chosen], path, profile)


def _merge_profile_problems(drafts: Mapping[str, SpecDraft], chosen: str) -> list[Problem]:
    """List the problems of all profiles, each once; `--set` options count for the chosen profile only."""
    seen: set[Problem] = set()
    problems: list[Problem] = []
    for name, draft in drafts.items():
        # Problems of options have no line in the file.
        new = [problem for problem in draft.problems if problem not in seen and (problem.line or name == chosen)]
        problems += [replace(p, message=p.message + draft.problems[p] * bool(p.line)) for p in new]
        seen.update(new)
    return problems


def _parse_spec_overrides(overrides: Sequence[str]) -> tuple[list[SpecOverride], list[Problem]]:
    options: list[SpecOverride] = []
    problems: list[Problem] = []
    for text in overrides:
        try:
            options.append(SpecOverride(text))
        except SpecError as error:
            problems += error.problems
    return options, problems


def _find_task_class(written: Node, options: Sequence[SpecOverride], registry: Registry) -> type[Task] | None:
    """Return the class of the task, whose defaults apply: its fields, also those of options, may choose a variant."""
    for option in options:
        if option.steps[0] == "task":
            with suppress(SpecError):  # reported when the layers are merged
                written = option.apply_override(written)
    block, kind = written.find(("task",)), written.find(("task", "kind"))
    if block is None or kind is None or not isinstance(kind.value, str):
        return None
    try:
        return cast("type[Task]", registry.find("task", kind.value).get_variant(block.to_plain()))
    except FactoryError:
        return None  # reported by instantiate_blocks


class _SpecLayers:
    """The layers of one spec, and their merge under a profile."""

    def __init__(self, file: str, written: Node, task: type[Task] | None, options: Sequence[SpecOverride]) -> None:
        self.file, self.spec_node, self.task, self.overrides = file, written, task, options
        self.task_kind = task.kind if task else ""
        self.task_defaults = call_plugin_method(f"task {self.task_kind!r}", task.get_defaults) if task else {}
        self.task_profiles = call_plugin_method(f"task {self.task_kind!r}", task.get_profiles) if task else {}
        profiles = written.get_child("profiles")
        nodes: dict[str, Node] = profiles.value if profiles and isinstance(profiles.value, dict) else {}
        self.spec_profiles = {name: node for name, node in nodes.items() if isinstance(node.value, dict)}

    def find_profile_problems(self, profile: str) -> list[Problem]:
        """List the problems of profiles that show without merging them."""
        text = "not allowed in a profile; set it at the top level of the spec"
        problems = [
            build_problem_at(self.file, self.spec_node, ("profiles", name, field), text)
            for name, node in self.spec_profiles.items() for field in ("profiles", "apiVersion") if field in node.value
        ]
        known = {FULL_PROFILE, *self.task_profiles, *self.spec_profiles}
        if self.task and profile and profile not in known:
            text = f"no such profile; {suggest_known_name(profile, known)}"
            problems.append(Problem(f"--profile {profile}", 0, 0, "", text))
        return problems

    def merge_layers(self, profile: str, registry: Registry) -> tuple[Node, list[Problem]]:
        """Return the merged layers, and the problems of options whose path does not exist."""
        defaults = build_node(self.task_defaults, SourceLocation("task"))
        task_profile = build_node(self.task_profiles.get(profile, {}), SourceLocation("profile"))
        top = overlay_nodes(expand_bare_kinds(defaults), expand_bare_kinds(task_profile))
        top = overlay_nodes(top, self.spec_node)
        if profile in self.spec_profiles:
            nodes = self.spec_profiles[profile].value
            fields = Node({name: node for name, node in nodes.items() if name != "profiles"}, top.location)
            top = overlay_nodes(top, expand_bare_kinds(_mark_profile_origin(fields, f"profiles.{profile}")))
        problems: list[Problem] = []
        for option in self.overrides:
            try:
                top = option.apply_override(top)
            except SpecError as error:
                problems += error.problems
        return apply_adapter_defaults(top, self.task, registry), problems


def _mark_profile_origin(node: Node, profile: str) -> Node:
    """Copy nodes with `profile` as their origin."""
    value = node.value
    if isinstance(value, dict):
        value = {name: _mark_profile_origin(child, profile) for name, child in value.items()}
    elif isinstance(value, list):
        value = [_mark_profile_origin(child, profile) for child in value]
    return Node(value, SourceLocation("profile", node.location.line, node.location.column, profile))


def _draft_profile(layers: _SpecLayers, profile: str, root: Path, registry: Registry) -> SpecDraft:
    top, problems = layers.merge_layers(profile, registry)
    draft = _make_draft(layers, profile, top, problems)

    def skip(steps: NodePath, kind: str) -> bool:
        if kind == "missing":  # the defaults of an unknown task might provide the field
            return layers.task is None and steps not in FIELDS_WITHOUT_DEFAULT
        return steps == ("contenders",) and kind == "too_short"  # `check_spec` reports which one is missing

    for step in draft.step_drafts:
        step.spec = validate_node(Spec, step.tree, step, skip=skip)
        instantiate_blocks(step, registry)
    for step in draft.step_drafts:
        check_step(step, draft.step_drafts, root)
        draft.step_plugins += [plugin for path, plugin in step.plugins.items() if path[0] in (OBJECTIVE, DATA)]
        draft.problems |= {problem: name for problem, name in step.problems.items() if problem not in draft.problems}
    draft.spec = validate_node(Spec, draft.tree, draft, skip=skip)
    instantiate_blocks(draft, registry)
    check_spec(draft, root, registry)
    return draft


def _make_draft(layers: _SpecLayers, profile: str, top: Node, problems: list[Problem]) -> SpecDraft:
    """Return the draft of a merged spec, with one of each step of training if there are several."""
    steps = list_step_trees(top)
    drafts = [
        SpecDraft(layers.file, each.top, layers.task_kind, profile, places=each.places, own_rows=each.own_rows)
        for each in steps
    ]
    answering = build_answering_tree(top, steps)
    draft = SpecDraft(
        layers.file, answering.top, layers.task_kind, profile, problems=dict.fromkeys(problems, ""),
        places=answering.places, step_drafts=drafts,
    )
    for path, text in find_misplaced_fields(top):
        draft.problems[build_problem_at(layers.file, top, path, text)] = ""
    return draft


def _build_resolved_spec(draft: SpecDraft, path: Path, profile: str) -> ResolvedSpec:
    spec, plugins = cast(Spec, draft.spec), draft.plugins

    def list_plugins(*steps: str) -> tuple[Any, ...]:
        return tuple(plugin for _, plugin in draft.list_plugins_below(*steps))

    return ResolvedSpec(
        spec=spec, file=path, root=path.parent, profile=profile,
        values=tuple(_list_leaf_values(draft)), own_rows=draft.own_rows,
        steps=tuple(_build_resolved_spec(step, path, profile) for step in draft.step_drafts),
        task=cast(Task, plugins[("task",)]), objective=cast(Objective, plugins[("objective",)]),
        sources=list_plugins("data", "sources"), synthesizers=list_plugins("data", "synthesize"),
        curators=list_plugins("data", "curate"), metric_curators=tuple(draft.metric_curators.values()),
        contenders=list_plugins("contenders"), evals=list_plugins("evaluate"), targets=list_plugins("targets"),
    )


def _dump_fields(spec: Spec) -> dict[str, Any]:
    """Return the fields of a spec as JSON data, of its adapter those that its kind has."""
    fields = spec.model_dump(mode="json", exclude={"profiles"})
    fields["adapter"] = {name: fields["adapter"][name] for name in FIELDS_BY_KIND[spec.adapter.kind]}
    return fields


def _list_leaf_values(draft: SpecDraft) -> Iterator[ResolvedValue]:
    """Yield the values of a spec as it was written: what a step of training has of its own, at the step."""
    for each in (draft, *draft.step_drafts):
        values = _dump_fields(cast(Spec, each.spec))
        for value in _walk_leaf_values((), values, each):
            if value.path.startswith(f"{OBJECTIVE}[") == (each is not draft):
                yield value


def _walk_leaf_values(steps: NodePath, value: Any, draft: SpecDraft) -> Iterator[ResolvedValue]:
    if find_role_at(steps):
        value = draft.plugins[steps].to_block()
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _walk_leaf_values((*steps, name), child, draft)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, child in enumerate(value):
            yield from _walk_leaf_values((*steps, number), child, draft)
    else:
        node = draft.tree.find(steps) or Node(None, SourceLocation("default"))
        # A list with an item from the command line counts as set there.
        locations = [item.location for item in node.value] if isinstance(node.value, list) else []
        location = next((item for item in locations if item.origin == "command line"), node.location)
        path = format_path(draft.locate_written(steps))
        yield ResolvedValue(path, value, location.origin, location.line or None)
