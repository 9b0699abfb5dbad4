"""A spec compiled: an ordered graph of frozen stages with a key each. Pure: no I/O beyond fingerprints of inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory import bases, identity
from factory.api import Contender, Eval, Plugin, Probe
from factory.api.plugin import fields_identity
from factory.resolve import Resolved

VERSIONS = {
    "base": 1, "gather": 1, "prepare": 1, "freeze": 1, "synthesize": 1, "curate": 1, "preflight": 1, "train": 1,
    "answer": 1, "score": 2, "probe": 1, "gate": 2, "bundle": 1, "certify": 1,
}
"""Bumped by hand when a stage's output would change though its fields do not."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One unit of work. `config` is what the worker gets, `identity` the part of it that the output depends on.

    `inputs` maps a role to the stage whose output folder plays it; `after` names stages that must have passed
    first though nothing of theirs is read.
    """

    name: str
    config: Mapping[str, Any]
    identity: Mapping[str, Any]
    inputs: Mapping[str, str]
    key: str
    after: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.name.partition("[")[0]

    @property
    def run(self) -> str:
        """The dotted name of the module whose `run` does the work."""
        return f"factory.stages.{self.kind}"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "key": self.key, "inputs": dict(self.inputs), "after": list(self.after),
            "config": dict(self.config), "identity": dict(self.identity),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages in an order in which they can run."""

    name: str
    task: str
    stages: tuple[Stage, ...]

    def __getitem__(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def names(self) -> list[str]:
        return [stage.name for stage in self.stages]

    def below(self, name: str) -> set[str]:
        """The stages that stand on this one, itself included."""
        found = {name}
        for stage in self.stages:
            if found & ({*stage.inputs.values(), *stage.after}):
                found.add(stage.name)
        return found


@dataclass
class _Draft:
    """A plan being written: adds stages and works out their keys."""

    root: Path
    stages: dict[str, Stage] = field(default_factory=dict)

    def add(
        self, stage: str, inputs: Sequence[str] = (), /, *, after: Sequence[str] = (),
        same: Mapping[str, Any] | None = None, **parts: Any,
    ) -> None:
        """Add a stage. `parts` hold plugins, lists of them, models and values; `same` stands in for the identity."""
        chosen = parts if same is None else same
        known = {part: _identity(value, self.root) for part, value in chosen.items()}
        config = {part: _config(value) for part, value in parts.items()}
        kind = stage.partition("[")[0]
        key = identity.key({
            "stage": kind, "version": VERSIONS[kind], "fields": known,
            "inputs": {name: self.stages[name].key for name in inputs},
        })
        self.stages[stage] = Stage(stage, config, known, {name: name for name in inputs}, key, tuple(after))


def _identity(value: Any, root: Path) -> Any:
    if isinstance(value, Plugin):
        return value.identity(root)
    if isinstance(value, (list, tuple)):
        return [_identity(item, root) for item in value]
    return fields_identity(value, root) if hasattr(value, "model_fields") else value


def _config(value: Any) -> Any:
    if isinstance(value, Plugin):
        return value.block()
    if isinstance(value, (list, tuple)):
        return [_config(item) for item in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def compile(resolved: Resolved) -> Plan:
    """The plan of a spec. The same spec, inputs and plugin versions give the same keys anywhere."""
    draft = _Draft(resolved.root)
    _rows(draft, resolved)
    _model(draft, resolved)
    _judgement(draft, resolved)
    return Plan(resolved.spec.name, resolved.task.kind, tuple(draft.stages.values()))


def _rows(draft: _Draft, resolved: Resolved) -> None:
    spec, task = resolved.spec, resolved.task
    student = spec.models.student
    draft.add("base", student=student, same={"student": bases.identity(student, resolved.root)})
    for alias in _aliases(resolved):
        reference = getattr(spec.models, alias)
        same = {"student": bases.identity(reference, resolved.root)}
        draft.add(f"base[{alias}]", student=reference, same=same)
    draft.add("gather", sources=resolved.sources, seed=spec.data.split.seed)
    draft.add("prepare", ["base", "gather", *_bases(task)], task=task, seed=spec.data.split.seed)
    draft.add("freeze", ["prepare"], split=spec.data.split, text=task.text)
    draft.add(
        "synthesize", ["base", "gather", "freeze", *_bases(*resolved.synthesizers)],
        task=task, synthesizers=resolved.synthesizers, limit=spec.data.limit, seed=spec.data.split.seed,
    )
    draft.add(
        "curate", ["base", "gather", "freeze", "synthesize", *_bases(*resolved.curators)],
        task=task, curators=resolved.curators, leakage=spec.data.leakage, text=task.text, seed=spec.data.split.seed,
    )


def _model(draft: _Draft, resolved: Resolved) -> None:
    spec, task, objective = resolved.spec, resolved.task, resolved.objective
    draft.add(
        "preflight", ["base", "gather", "curate", *_bases(task, objective)],
        task=task, objective=objective, limits=spec.data.preflight, seed=spec.train.seed,
    )
    draft.add(
        "train", ["base", "gather", "freeze", "curate", *_bases(objective)], after=["preflight"],
        task=task, objective=objective, adapter=spec.adapter, train=spec.train, seed=spec.train.seed,
    )
    for contender in resolved.contenders:
        judged: dict[str, Any] = {"judge": _judge(resolved), "metric": spec.gate.metric} if contender.chooses else {}
        draft.add(
            f"answer[{contender.kind}]", _inputs(contender, resolved),
            contender=contender, task=task, objective=objective, seed=spec.train.seed, **judged,
        )


def _inputs(contender: Contender, resolved: Resolved) -> list[str]:
    trained = ["train"] if contender.uses_adapter else []
    judges = [_judge(resolved)] if contender.chooses else []
    return ["base", "gather", "freeze", "curate", *trained, *_bases(contender, resolved.task, *judges)]


def _judge(resolved: Resolved) -> Eval:
    """The eval whose metric the gate reads: contenders that choose their settings ask it about validation rows."""
    evals = [each for each in resolved.evals if each.metrics]
    wanted = resolved.spec.gate.metric
    return next((each for each in evals if wanted in {metric.name for metric in each.metrics}), evals[0])


def _aliases(resolved: Resolved) -> list[str]:
    """The further models that any plugin of the spec uses."""
    plugins = (
        resolved.task, resolved.objective, *resolved.synthesizers, *resolved.curators, *resolved.contenders,
        *resolved.evals,
    )
    return sorted({alias for plugin in plugins for alias in plugin.uses()})


def _bases(*plugins: Plugin) -> list[str]:
    """The stages that resolve the further models of these plugins."""
    return sorted({f"base[{alias}]" for plugin in plugins for alias in plugin.uses()})


def _judgement(draft: _Draft, resolved: Resolved) -> None:
    spec = resolved.spec
    answers = [f"answer[{contender.kind}]" for contender in resolved.contenders]
    tuned = next(each.kind for each in resolved.contenders if each.uses_adapter and each.compared)
    evals = [each for each in resolved.evals if not isinstance(each, Probe)]
    probes = [each for each in resolved.evals if isinstance(each, Probe)]
    draft.add(
        "score", ["gather", "freeze", "curate", *answers, *_bases(*evals)], evals=evals, seed=spec.gate.seed
    )
    for probe in probes:
        draft.add(f"probe[{probe.kind}]", ["base", "train", *_bases(probe)], probe=probe, seed=spec.gate.seed)
    probed = [f"probe[{probe.kind}]" for probe in probes]
    draft.add(
        "gate", ["score", "curate", *probed], gate=spec.gate,
        prompted=[each.kind for each in resolved.contenders if each.prompted],
        shown=[each.kind for each in resolved.contenders if not each.compared],
    )
    draft.add(
        "bundle",
        ["base", "gather", "prepare", "freeze", "curate", "preflight", "train", "score", "gate", *answers],
        name=spec.name, task=resolved.task, objective=resolved.objective, adapter=spec.adapter,
        targets=resolved.targets, spec=_said(resolved), tuned=tuned, seed=spec.train.seed,
    )
    draft.add(
        "certify", ["base", "gather", "freeze", "bundle", f"answer[{tuned}]"],
        task=resolved.task, objective=resolved.objective, tuned=tuned, seed=spec.train.seed,
    )


def _said(resolved: Resolved) -> dict[str, Any]:
    """The resolved spec as it goes into the bundle: what does not change the output, or was not chosen, left out."""
    spec, root = resolved.spec, resolved.root
    blocks = {
        "task": resolved.task, "objective": resolved.objective, "contenders": resolved.contenders,
        "evaluate": resolved.evals, "targets": resolved.targets,
    }
    data = {
        "sources": resolved.sources, "synthesize": resolved.synthesizers, "curate": resolved.curators,
        "split": spec.data.split, "leakage": spec.data.leakage, "preflight": spec.data.preflight,
        "limit": spec.data.limit,
    }
    said = {name: _identity(value, root) for name, value in blocks.items()}
    said["data"] = {name: _identity(value, root) for name, value in data.items()}
    for name in ("adapter", "train", "gate"):
        said[name] = fields_identity(getattr(spec, name), root)
    models = {"student": spec.models.student, **{alias: getattr(spec.models, alias) for alias in _aliases(resolved)}}
    said["models"] = {name: bases.identity(reference, root) for name, reference in models.items()}
    return {"apiVersion": spec.apiVersion, "name": spec.name, **said}
