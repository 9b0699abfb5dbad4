"""What a plan reaches beyond its project: hosts, the environment variables and rows that go there, and paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from factory import models
from factory.api import Endpoint, Input, Plugin, get_hub_hosts
from factory.api.spec_block import has_marker
from factory.data.rows import read_json
from factory.errors import READ_ERRORS
from factory.models.model_folder import list_outside_links
from factory.models.pip_download import PACKAGE_INDEX
from factory.network_policy import is_loopback_host, list_proxies
from factory.plan.builder import Plan, Stage
from factory.spec.layers import ResolvedSpec
from factory.store.integrity import list_file_damage
from factory.store.outputs import Store

PROJECT_MARKERS = (".git", ".factory")
"""Entries of the folder that a project begins at."""
SENT_PARTS = {
    "prepare": "", "synthesize": "train", "curate": "train", "train": "train", "preflight": "train", "answer": "test",
    "score": "test", "baseline_trial": "validation", "attack": "",
}
"""Kind of a stage → the part of the rows that it works on, and so may send; empty for all of them."""


@dataclass(frozen=True, slots=True)
class HostUse:
    """A host as the network policy lists it, the stages that may reach it, and the variables and rows that go there."""

    host: str
    stages: tuple[str, ...]
    variables: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()

    @property
    def needs_consent(self) -> bool:
        """Whether a person must have allowed it: not this machine, nor where bases are only fetched from."""
        is_download = self.host in (PACKAGE_INDEX, *get_hub_hosts()) and not self.variables
        return not is_loopback_host(self.host) and not is_download

    def describe(self) -> str:
        """Return one line, such as `sends 40 training rows and $KEY to api.example:443 (synthesize)`."""
        things = [*self.rows, *(f"${name}" for name in self.variables)]
        start = f"sends {', '.join(things)} to" if things else "reaches"
        proxies = f", through the proxy {' and '.join(self.proxies)}" if self.proxies else ""
        return f"{start} {self.host} ({', '.join(self.stages)}){proxies}"


@dataclass(frozen=True, slots=True)
class PathUse:
    """A path outside of the project, links resolved, and the field that names it."""

    path: Path
    field: str

    def describe(self) -> str:
        """Return one line."""
        return f"reads {self.path}, outside of the project ({self.field})"


def collect_host_uses(plan: Plan, store: Store | None = None) -> list[HostUse]:
    """Return the hosts of a plan in the order of its stages; rows are counted once the store has their split."""
    uses: dict[str, HostUse] = {}
    counts = _read_row_counts(plan, store)
    for stage in plan.stages:
        variables = _collect_variables(stage.config)
        for host in stage.hosts:
            old = uses.get(host, HostUse(host, (), proxies=tuple(list_proxies(host))))
            rows = [text] if (text := _describe_rows(stage, counts)) else []
            uses[host] = HostUse(
                host, (*old.stages, stage.name), tuple(dict.fromkeys([*old.variables, *variables.get(host, ())])),
                tuple(dict.fromkeys([*old.rows, *rows])), old.proxies,
            )
    return list(uses.values())


def collect_outside_paths(resolved: ResolvedSpec) -> list[PathUse]:
    """Return the inputs and local models of a spec that are not below its project."""
    project = find_project_folder(resolved.root)
    found = [*_iterate_input_paths(resolved), *_iterate_model_paths(resolved)]
    real = ((path.resolve(), field) for path, field in found)
    return list(dict.fromkeys(PathUse(path, field) for path, field in real if not path.is_relative_to(project)))


def find_project_folder(root: Path) -> Path:
    """Return the nearest folder, from the spec's folder upwards, that a project begins at; else the spec's folder.

    A person's whole account is no project, though it may be kept in a repository.
    """
    folder, account = root.resolve(), Path.home().resolve()
    for candidate in (folder, *folder.parents):
        if account.is_relative_to(candidate):
            break
        if any((candidate / marker).exists() for marker in PROJECT_MARKERS):
            return candidate
    return folder


def _collect_variables(config: Any) -> dict[str, set[str]]:
    """Return host → variables of the endpoints in the config of a stage, at any depth."""
    found: dict[str, set[str]] = {}
    if isinstance(config, Mapping):
        if "base_url" in config:
            with suppress(ValidationError):
                endpoint = Endpoint.model_validate(config)
                found.setdefault(endpoint.host, set()).update([endpoint.key_env] if endpoint.key_env else [])
        config = list(config.values())
    if isinstance(config, list | tuple):
        for item in config:
            for host, names in _collect_variables(item).items():
                found.setdefault(host, set()).update(names)
    return found


def _read_row_counts(plan: Plan, store: Store | None) -> Mapping[str, int]:
    """Return part → rows of the split, if it was made before and is not damaged."""
    if store is None or "freeze" not in plan.list_stage_names():
        return {}
    output = store.locate_output("freeze", plan["freeze"].key)
    # A build must not end here: it makes a damaged output again.
    if not output.is_complete or list_file_damage(output, "freeze.json"):
        return {}
    with suppress(KeyError, TypeError, *READ_ERRORS):
        counts: Mapping[str, int] = read_json(output.output / "freeze.json")["counts"]
        return {name: int(count) for name, count in counts.items()}
    return {}


def _describe_rows(stage: Stage, counts: Mapping[str, int]) -> str:
    """Return the rows that a stage may send: how many, or all of a part."""
    part = SENT_PARTS.get(stage.kind)
    if part is None:
        return ""
    count = sum(counts.values()) if not part else counts.get(part, 0)
    if stage.kind == "baseline_trial":
        count = min(count or stage.config["rows"], stage.config["rows"])
    name = {"train": "training rows"}.get(part, f"{part} rows" if part else "rows")
    return f"up to {count:,} {name}" if count else f"all {name}"


def _iterate_input_paths(resolved: ResolvedSpec) -> Iterator[tuple[Path, str]]:
    """Yield every path of an `Input` field, with the field."""
    lists: dict[str, tuple[Plugin, ...]] = {
        "task": (resolved.task,), "data.sources": resolved.sources, "data.synthesize": resolved.synthesizers,
        "data.curate": (*resolved.curators, *resolved.metric_curators), "objective": (resolved.objective,),
        "contenders": resolved.contenders, "evaluate": resolved.evals, "targets": resolved.targets,
    }
    for number, step in enumerate(resolved.steps):
        lists[f"objective[{number}]"] = (step.objective, *step.sources, *step.synthesizers, *step.curators)
    for name, plugins in lists.items():
        for plugin in plugins:
            yield from _iterate_block_paths(plugin, f"{name} {plugin.kind}", resolved.root)


def _iterate_block_paths(block: BaseModel, where: str, root: Path) -> Iterator[tuple[Path, str]]:
    for name in type(block).model_fields:
        value = getattr(block, name)
        if isinstance(value, BaseModel):
            yield from _iterate_block_paths(value, f"{where}.{name}", root)
        elif value and has_marker(type(block), name, Input):
            yield root / value, f"{where}.{name}"


def _iterate_model_paths(resolved: ResolvedSpec) -> Iterator[tuple[Path, str]]:
    """Yield the folders of local models, and what links in them lead to."""
    for name in type(resolved.spec.models).model_fields:
        reference = getattr(resolved.spec.models, name)
        if not isinstance(reference, str) or not reference:
            continue
        parsed = models.parse_reference(reference, resolved.root)
        if parsed.kind == "local":
            path = resolved.root / Path(parsed.name).expanduser()
            yield path, f"models.{name}"
            yield from ((target, f"a link in models.{name}") for target in list_outside_links(path))
