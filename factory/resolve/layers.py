"""The layers of a spec, lowest first: fields' defaults, the task's, its profile, the spec, its profile, the options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from factory.api import Contender, Curator, Eval, Objective, Plugin, Source, Synthesizer, Target, Task
from factory.errors import FactoryError, Problem, SpecError
from factory.resolve.blocks import Kinds, Option, normal, overlay, role_at
from factory.resolve.checks import check
from factory.resolve.draft import Draft, ask, checked, narrow, problem
from factory.resolve.messages import did_you_mean
from factory.source import Node, SourceLocation, NodePath, format_path, build_node, read_spec_file
from factory.spec import Spec

FULL = "full"
"""The profile that every spec has; it changes nothing unless the spec or its task says otherwise."""


@dataclass(frozen=True, slots=True)
class Value:
    """One leaf of a resolved spec. `origin` is default, task, profile, spec or command line; `line` is in the spec."""

    path: str
    value: Any
    origin: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A spec with nothing left open. `root` is its folder, to which `Input` paths are relative."""

    spec: Spec
    file: Path
    root: Path
    profile: str
    values: tuple[Value, ...]
    task: Task
    sources: tuple[Source, ...]
    synthesizers: tuple[Synthesizer, ...]
    curators: tuple[Curator, ...]
    measures: tuple[Curator, ...]
    """The curators that measure what `data.require` names, as the spec sets them or by their defaults."""
    objective: Objective
    contenders: tuple[Contender, ...]
    evals: tuple[Eval, ...]
    targets: tuple[Target, ...]


def resolve(path: Path, *, profile: str = "", overrides: Sequence[str] = (), registry: Kinds) -> Resolved:
    """Read a spec and settle every value. Raises SpecError with all that is wrong, profiles not chosen included."""
    written = normal(read_spec_file(path))
    options, problems = _options(overrides)
    layers = _Layers(str(path), written, _task(written, registry), options)
    problems += layers.wrong(profile)
    chosen = "" if profile == FULL and not layers.knows(FULL) else profile
    drafts = {name: _draft(layers, name, path.parent, registry) for name in ("", chosen, *layers.profiles)}
    problems += _told(drafts, chosen)
    if problems:
        raise SpecError(problems)
    return _resolved(drafts[chosen], path, profile)


def _told(drafts: Mapping[str, Draft], chosen: str) -> list[Problem]:
    """The problems of all profiles, each once; what the options do to a profile that was not chosen is left unsaid."""
    seen: set[Problem] = set()
    told: list[Problem] = []
    for name, draft in drafts.items():
        fresh = [found for found in draft.problems if found not in seen and (found.line or name == chosen)]
        told += [replace(found, message=found.message + draft.problems[found] * bool(found.line)) for found in fresh]
        seen.update(fresh)
    return told


def _options(overrides: Sequence[str]) -> tuple[list[Option], list[Problem]]:
    options: list[Option] = []
    problems: list[Problem] = []
    for text in overrides:
        try:
            options.append(Option(text))
        except SpecError as error:
            problems += error.problems
    return options, problems


def _task(written: Node, registry: Kinds) -> type[Task] | None:
    kind = written.find(("task", "kind"))
    try:
        return cast("type[Task]", registry.find("task", kind.value)) if kind and isinstance(kind.value, str) else None
    except FactoryError:
        return None  # said where all blocks are narrowed


class _Layers:
    """The layers of one spec, and what they come to under a profile."""

    def __init__(self, file: str, written: Node, task: type[Task] | None, options: Sequence[Option]) -> None:
        self.file, self.written, self.task, self.options = file, written, task, options
        self.named = task.kind if task else ""
        self.defaults = ask(f"task {self.named!r}", task.get_defaults) if task else {}
        self.presets = ask(f"task {self.named!r}", task.get_profiles) if task else {}
        profiles = written.get_child("profiles")
        found = profiles.value if profiles and isinstance(profiles.value, dict) else {}
        self.profiles: dict[str, Node] = {name: node for name, node in found.items() if isinstance(node.value, dict)}

    def knows(self, profile: str) -> bool:
        """Whether the task or the spec says what a profile is."""
        return profile in self.presets or profile in self.profiles

    def wrong(self, profile: str) -> list[Problem]:
        """What can be said of the profiles without merging them."""
        text = "a profile can not say this; only the spec itself can"
        told = [
            problem(self.file, self.written, ("profiles", name, field), text)
            for name, node in self.profiles.items() for field in ("profiles", "apiVersion") if field in node.value
        ]
        known = {FULL, *self.presets, *self.profiles}
        if self.task and profile and profile not in known:
            told.append(Problem(f"--profile {profile}", 0, 0, "", f"no such profile; {did_you_mean(profile, known)}"))
        return told

    def merged(self, profile: str) -> tuple[Node, list[Problem]]:
        """All layers as one tree, and what is wrong with options that lead nowhere."""
        top = normal(build_node(self.defaults, SourceLocation("task")))
        top = overlay(top, normal(build_node(self.presets.get(profile, {}), SourceLocation("profile"))))
        top = overlay(top, self.written)
        if profile in self.profiles:
            fields = Node({n: c for n, c in self.profiles[profile].value.items() if n != "profiles"}, top.location)
            top = overlay(top, normal(_within(fields, f"profiles.{profile}")))
        problems: list[Problem] = []
        for option in self.options:
            try:
                top = option.over(top)
            except SpecError as error:
                problems += error.problems
        return top, problems


def _within(node: Node, profile: str) -> Node:
    """The nodes of a profile, each knowing so."""
    value = node.value
    if isinstance(value, dict):
        value = {name: _within(child, profile) for name, child in value.items()}
    elif isinstance(value, list):
        value = [_within(child, profile) for child in value]
    return Node(value, SourceLocation("profile", node.location.line, node.location.column, profile))


def _draft(layers: _Layers, profile: str, root: Path, registry: Kinds) -> Draft:
    top, problems = layers.merged(profile)
    draft = Draft(layers.file, top, layers.named, profile, problems=dict.fromkeys(problems, ""))
    draft.spec = checked(Spec, top, draft, skip=_said_elsewhere if layers.task else _said_elsewhere_or_the_tasks)
    narrow(draft, registry)
    check(draft, root, registry)
    return draft


def _said_elsewhere(steps: NodePath, kind: str) -> bool:
    """Whether a check says the same in better words: which contender is lacking, rather than how many."""
    return steps == ("contenders",) and kind == "too_short"


def _said_elsewhere_or_the_tasks(steps: NodePath, kind: str) -> bool:
    """The same, or whether a field may only be missing because the task, which brings defaults, is not known."""
    here = (("apiVersion",), ("name",), ("task",), ("models",))
    return _said_elsewhere(steps, kind) or (kind == "missing" and steps not in here)


def _resolved(draft: Draft, path: Path, profile: str) -> Resolved:
    spec, plugins = cast(Spec, draft.spec), draft.plugins

    def some(*steps: str) -> tuple[Any, ...]:
        return tuple(plugin for _, plugin in draft.at(*steps))

    return Resolved(
        spec=spec, file=path, root=path.parent, profile=profile,
        values=tuple(_values(spec, plugins, draft.top)),
        task=cast(Task, plugins[("task",)]), objective=cast(Objective, plugins[("objective",)]),
        sources=some("data", "sources"), synthesizers=some("data", "synthesize"), curators=some("data", "curate"),
        measures=tuple(draft.measures.values()),
        contenders=some("contenders"), evals=some("evaluate"), targets=some("targets"),
    )


def _values(spec: Spec, plugins: Mapping[NodePath, Plugin], top: Node) -> Iterator[Value]:
    for name, value in spec.model_dump(mode="json", exclude={"profiles"}).items():
        yield from _leaves((name,), value, plugins, top)


def _leaves(steps: NodePath, value: Any, plugins: Mapping[NodePath, Plugin], top: Node) -> Iterator[Value]:
    if role_at(steps):
        value = plugins[steps].to_block()
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _leaves((*steps, name), child, plugins, top)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, child in enumerate(value):
            yield from _leaves((*steps, number), child, plugins, top)
    else:
        place = _said(top.find(steps))
        yield Value(format_path(steps), value, place.origin, place.line or None)


def _said(node: Node | None) -> SourceLocation:
    """Who said a leaf; one item of a list that the command line changed speaks for the list."""
    if node is None:
        return SourceLocation("default")
    items = node.value if isinstance(node.value, list) else []
    return next((item.place for item in items if item.place.origin == "command line"), node.location)
