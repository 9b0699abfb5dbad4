"""Stages with their content keys, and the builder of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from factory import identity
from factory.api import Endpoint, Plugin
from factory.api.spec_block import compute_fields_identity
from factory.plan.stage_kinds import find_stage_kind
from factory.spec.fields import Models


@dataclass(frozen=True, slots=True)
class Stage:
    """One unit of work. `config` is sent to the worker; `identity` is the part of it that the output depends on.

    `inputs` maps a role to the stage that provides its folder; `after` lists stages that must pass first although their
    output is not read. `hosts` are the only network hosts that the stage may contact.
    """

    name: str
    config: Mapping[str, Any]
    identity: Mapping[str, Any]
    inputs: Mapping[str, str]
    key: str
    after: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.name.partition("[")[0]

    @property
    def module_name(self) -> str:
        """Dotted name of the module whose `run` executes the stage."""
        return find_stage_kind(self.kind).module_path

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "key": self.key, "inputs": dict(self.inputs), "after": list(self.after),
            "config": dict(self.config), "identity": dict(self.identity), "hosts": list(self.hosts),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages of a build in execution order."""

    name: str
    task: str
    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = ()
    """What users should know before it runs, a line each."""

    def __getitem__(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def list_stage_names(self) -> list[str]:
        return [stage.name for stage in self.stages]

    def slice_until(self, name: str) -> Plan:
        """Return the plan of this stage and all stages that it depends on."""
        names = {name}
        for stage in reversed(self.stages):  # in execution order, so one backward pass finds all inputs
            if stage.name in names:
                names.update(stage.inputs.values(), stage.after)
        return Plan(self.name, self.task, tuple(stage for stage in self.stages if stage.name in names))

    def find_dependents(self, name: str) -> set[str]:
        """Return the stages that depend on this one, itself included."""
        names = {name}
        for stage in self.stages:
            if names & ({*stage.inputs.values(), *stage.after}):
                names.add(stage.name)
        return names


@dataclass
class PlanBuilder:
    """Builder of a plan: adds stages and computes their keys."""

    root: Path
    models: Models
    stages: dict[str, Stage] = field(default_factory=dict)
    role_overrides: dict[str, str] = field(default_factory=dict)
    """Role → the stage that provides it from now on, if it is not the stage of that name."""
    trial_rows: int = 0
    """Validation rows that the baseline trials of `factory advise` use."""

    def add_stage(
        self, stage: str, inputs: Sequence[str] = (), /, *, after: Sequence[str] = (), uses: Sequence[Plugin] = (),
        hosts: Sequence[str] = (), identity_parts: Mapping[str, Any] | None = None, **parts: Any,
    ) -> None:
        """Add a stage. `parts` are plugins, models and plain values; `identity_parts` replaces them in the key.

        The further models of the plugins in `uses` become inputs or, if they are endpoints, part of the config.
        """
        aliases = [alias for plugin in uses for alias in plugin.get_required_models()]
        further = {alias: self.models.get_named_model(alias) for alias in aliases}
        inputs = [*inputs, *sorted(f"base[{alias}]" for alias, model in further.items() if isinstance(model, str))]
        if endpoints := {alias: model for alias, model in further.items() if isinstance(model, Endpoint)}:
            parts["endpoints"] = {**parts.get("endpoints", {}), **endpoints}
        hosts = sorted({*hosts, *(host for value in parts.values() for host in iterate_config_hosts(value))})
        # The worker gets all of the config; the key leaves out Runtime fields, such as threads or a price.
        key_parts = parts if identity_parts is None else identity_parts
        fields = {part: compute_part_identity(value, self.root) for part, value in key_parts.items()}
        config = {part: _convert_models(value, _serialise_model) for part, value in parts.items()}
        roles = {role: self.role_overrides.get(role, role) for role in inputs}
        kind = find_stage_kind(stage)
        if not kind.version:
            raise ValueError(f"{kind.name!r} is not in the table of stage kinds")
        key = identity.compute_key({
            "stage": kind.name, "version": kind.version, "fields": fields,
            "inputs": {role: self.stages[name].key for role, name in roles.items()},
        })
        self.stages[stage] = Stage(stage, config, fields, roles, key, tuple(after), tuple(hosts))


    def add_unkeyed(self, stage: str, **config: Any) -> None:
        """Add what a stage's worker is told and its key does not know: it may fail by it, and write nothing else."""
        known = self.stages[stage]
        self.stages[stage] = replace(known, config={**known.config, **config})


def iterate_config_hosts(value: Any) -> Iterator[str]:
    """Yield the hosts of a part of a config, nested values included."""
    if isinstance(value, Plugin):
        yield from value.list_hosts()
    elif isinstance(value, Endpoint):
        yield value.host
    elif isinstance(value, (list, tuple, Mapping)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from iterate_config_hosts(item)


def compute_part_identity(value: Any, root: Path) -> Any:
    """Return what a part of a stage contributes to its key, as JSON data."""

    def compute_identity(model: BaseModel) -> Any:
        if isinstance(model, Plugin):
            return model.compute_identity(root)
        return model.build_cache_identity() if isinstance(model, Endpoint) else compute_fields_identity(model, root)

    return _convert_models(value, compute_identity)


def _serialise_model(model: BaseModel) -> Any:
    return model.to_block() if isinstance(model, Plugin) else model.model_dump(mode="json")


def _convert_models(value: Any, convert: Callable[[BaseModel], Any]) -> Any:
    """Return a part of a stage as JSON data, with `convert` applied to its models, nested ones included."""
    if isinstance(value, BaseModel):
        return convert(value)
    if isinstance(value, Mapping):
        return {name: _convert_models(item, convert) for name, item in value.items()}
    return [_convert_models(item, convert) for item in value] if isinstance(value, (list, tuple)) else value
