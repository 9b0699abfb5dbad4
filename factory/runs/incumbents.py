"""The versions that the incumbents of a spec are: what their aliases point to in a home folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from factory import identity, models
from factory.api import Plugin, Task, VersionContender
from factory.bundle.delivered import find_base_stage, find_exporting_contender
from factory.bundle.manifest import load_manifest
from factory.errors import InputError, Problem, SpecError
from factory.events import Verdict
from factory.plan.step_names import find_last_training, list_step_stages
from factory.registry.registry import Registry
from factory.runs.deployable import find_deployable_part
from factory.runs.run_view import RunView, find_run
from factory.runs.specialists import SHIPPED, Version, collect_aliases, find_version, list_versions
from factory.spec.incumbents import IncumbentSearch, IncumbentVersion
from factory.spec.layers import ResolvedSpec
from factory.store.chosen_settings import SETTINGS
from factory.store.outputs import Store
from factory.yaml import read_spec_file

REMEDY = "name another version, or remove this contender"


def attach_incumbents(resolved: ResolvedSpec, registry: Registry, home: Path) -> ResolvedSpec:
    """Return the spec with the versions that its incumbents are. Nothing is read if it has none.

    Raises SpecError for a version whose answers would be of no use.
    """
    contenders = [(i, each) for i, each in enumerate(resolved.contenders) if isinstance(each, VersionContender)]
    if resolved.incumbents or not contenders:
        return resolved
    searches, problems = {}, []
    for number, contender in contenders:
        try:
            searches[contender.kind] = find_incumbent(resolved, contender, registry, home)
        except InputError as error:
            problems.append(_build_problem(resolved, number, str(error)))
    if problems:
        raise SpecError(problems)
    return replace(resolved, incumbents=searches)


def find_incumbent(
    resolved: ResolvedSpec, contender: VersionContender, registry: Registry, home: Path
) -> IncumbentSearch:
    """Return what a contender's alias points to. Raises InputError if its answers would be of no use."""
    reference = contender.build_reference(resolved.spec.name)
    version, missing = _find_served_version(home, reference, resolved.spec.name)
    if version is None:
        return IncumbentSearch(reference, missing=missing)
    run, problem = find_run(home, version.run), ""
    stages: Mapping[str, Mapping[str, Any]] = {str(stage.get("name")): stage for stage in run.plan}
    judged = stages.get(f"answer[{contender.kind}]", {}).get("config", {}).get("incumbent")
    found = _describe_version(version, run, stages, registry)
    if version.is_stored:
        _check_use(resolved, version, run)
        _check_renderer(version, cast(Task, registry.make_plugin("task", found.task)))
        _check_base(resolved, version, stages, home)
    else:  # no error yet: it may be what this spec builds, and builds again
        problem = f"{resolved.file}: contenders: the bundle of {found.label}, which {reference} points to, was deleted"
        problem += f" from the store; build that version again, or {REMEDY}"
    return IncumbentSearch(reference, found, IncumbentVersion(**judged) if judged else None, problem=problem)


def _find_served_version(home: Path, reference: str, own: str) -> tuple[Version | None, str]:
    """Return the version, or None and why there is none yet. Raises InputError for one that is never to come."""
    name, _, label = reference.partition("@")
    versions = [version for version in list_versions(home) if version.name == name]
    if not versions and name == own:
        return None, f"no version of {name} was built yet"
    aliases = collect_aliases(home, versions)
    named = [v for v in versions if label in (str(v.number), f"v{v.number}", *aliases.get(v.key, ()))]
    if not named and label == SHIPPED:  # this alias passes over deleted versions, of which one was served all the same
        named = [version for version in versions if Verdict.from_word(version.verdict).ships]
    if not named and versions and not label.removeprefix("v").isdigit():
        return None, f"{name} has no version {label!r} yet"
    return (named[-1] if named else find_version(home, reference)), ""


def _check_use(resolved: ResolvedSpec, version: Version, run: RunView) -> None:
    """Raise InputError if answers of this version are of another task, or another type."""
    label, task = f"{version.name}@{version.number}", resolved.task
    if run.task != task.kind:
        text = f"{label} is of the task {run.task!r}, this spec of {task.kind!r}: their answers can not be compared"
        raise InputError(f"{text}; {REMEDY}")
    answers = load_manifest(version.bundle).get("answers") or task.output_type
    if answers != task.output_type:
        text = f"{label} answers with {answers!r}, this spec with {task.output_type!r}: they can not be compared"
        raise InputError(f"{text}; {REMEDY}")


def _check_base(
    resolved: ResolvedSpec, version: Version, stages: Mapping[str, Mapping[str, Any]], home: Path
) -> None:
    """Raise InputError if the base of a version is gone, and is not the one that this spec resolves anyway."""
    name = find_base_stage(load_manifest(version.bundle))
    base = stages.get(name, {})
    if Store(home).locate_output(name, str(base.get("key", ""))).is_complete:
        return
    own = {"student": models.compute_base_identity(resolved.spec.models.student, resolved.root)}
    if base.get("identity") != own:
        label = f"{version.name}@{version.number}"
        raise InputError(f"the base of {label} was deleted from the store; build that version again, or {REMEDY}")


def _describe_version(
    version: Version, run: RunView, stages: Mapping[str, Mapping[str, Any]], registry: Registry
) -> IncumbentVersion:
    """Return a version with the keys and the plugins of the build that made it."""
    label, train = f"{version.name}@{version.number}", stages.get(find_last_training(stages), {})
    config: Mapping[str, Any] = train.get("config", {})
    if not {"task", "objective"} <= config.keys():
        raise InputError(f"the journal of {label} does not say how it was trained; build it again, or {REMEDY}")
    try:
        plugins = {role: registry.make_plugin(role, config[role]) for role in ("task", "objective")}
    except InputError as error:
        raise InputError(f"{label} was built with other plugins ({error}); {REMEDY}") from error
    trainings = [train, *(stages[name] for name in list_step_stages(stages))]
    curated = dict.fromkeys(str(each.get("inputs", {}).get("curate", "curate")) for each in trainings)
    keys = {name: str(stage.get("key", "")) for name, stage in stages.items()}
    delivered = _describe_delivered(version, run, registry) if version.is_stored else {}
    bases = {name: key for name, key in keys.items() if name.partition("[")[0] == "base"}
    chosen = str(train.get("inputs", {}).get(SETTINGS, SETTINGS))
    return IncumbentVersion(
        specialist=version.name, number=version.number, bundle=version.key,
        trained={name: key for name, key in keys.items() if name.partition("[")[0] == "train"},
        outputs={**bases, **({SETTINGS: keys[chosen]} if chosen in keys else {})},
        rows={name: keys[name] for name in (*curated, "freeze") if name in keys},
        task=config["task"], objective=config["objective"],
        plugins={role: _identify_plugin(plugin) for role, plugin in plugins.items()} | delivered.pop("plugins", {}),
        seed=int(config.get("seed", 0)), backend=str(config.get("train", {}).get("backend", "auto")),
        root=str(Path(run.spec).parent), **delivered,
    )


def _describe_delivered(version: Version, run: RunView, registry: Registry) -> dict[str, Any]:
    """Return what is known of a version that delivers another contender than tuned; {} for what was trained."""
    manifest = load_manifest(version.bundle)
    if not (contender := find_exporting_contender(manifest)):
        return {}
    try:
        part = find_deployable_part(run.plan, contender)
        plugin = registry.make_plugin("contender", part["deployable"][contender])
    except InputError as error:
        raise InputError(f"{version.name}@{version.number}: {error}; {REMEDY}") from error
    return {
        **part, "contender": contender, "base_stage": find_base_stage(manifest),
        "plugins": {"contender": _identify_plugin(plugin)},
    }


def _identify_plugin(plugin: Plugin) -> dict[str, Any]:
    """Return kind and version; the fields are in the key of the bundle."""
    return {"kind": plugin.kind, "version": plugin.version, "origin": plugin.local_digest}


def _check_renderer(version: Version, task: Task) -> None:
    """Raise InputError if the task's templates are not those that the bundle records."""
    recorded = load_manifest(version.bundle)["digests"].get("renderer")
    if recorded != identity.compute_key(dict(task.get_templates())):
        text = f"the templates of {task.kind!r} are no longer those of {version.name}@{version.number}"
        raise InputError(f"{text}, which would read other texts than it was trained on; {REMEDY}")


def _build_problem(resolved: ResolvedSpec, number: int, text: str) -> Problem:
    """Return a problem of a contender at its line in the file, if it is written there."""
    field = f"contenders[{number}]"
    value = next((value for value in resolved.values if value.path.startswith(f"{field}.")), None)
    node = read_spec_file(resolved.file).find(("contenders", number)) if value and value.origin == "spec" else None
    line, column = (node.location.line, node.location.column) if node else (0, 0)
    return Problem(str(resolved.file), line, column, field, text)
