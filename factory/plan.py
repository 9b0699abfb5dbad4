"""A spec compiled: an ordered graph of frozen stages with a key each. Pure: no I/O beyond fingerprints of inputs."""

from __future__ import annotations

from typing import Any

from factory import bases, review
from factory.api import Contender, Endpoint, Eval, Probe
from factory.api.plugin import compute_fields_identity
from factory.graph import Draft, Plan, Stage, said
from factory.resolve import Resolved
from factory.spec import Data

__all__ = ["Plan", "Stage", "compile"]


def compile(resolved: Resolved) -> Plan:
    """The plan of a spec. The same spec, inputs and plugin versions give the same keys anywhere."""
    draft = Draft(resolved.root, resolved.spec.models)
    _rows(draft, resolved)
    _model(draft, resolved)
    _judgement(draft, resolved)
    return Plan(resolved.spec.name, resolved.task.kind, tuple(draft.stages.values()))


def _rows(draft: Draft, resolved: Resolved) -> None:
    spec, task = resolved.spec, resolved.task
    student = spec.models.student
    _base(draft, "base", student)
    for alias, model in _further(resolved).items():
        if isinstance(model, str):
            _base(draft, f"base[{alias}]", model)
    draft.add("gather", uses=resolved.sources, sources=resolved.sources, seed=spec.data.split.seed, **_skips(spec.data))
    draft.add("prepare", ["base", "gather"], uses=[task], task=task, seed=spec.data.split.seed)
    draft.add("freeze", ["prepare"], split=spec.data.split, text=task.text_column)
    draft.add(
        "synthesize", ["base", "gather", "freeze"], uses=resolved.synthesizers,
        task=task, synthesizers=resolved.synthesizers, limit=spec.data.limit, seed=spec.data.split.seed,
    )
    draft.add(
        "curate", ["base", "gather", "freeze", "synthesize", *(f"base[{alias}]" for alias in _compared_by(resolved))],
        uses=[*resolved.curators, *resolved.measures], task=task, curators=resolved.curators,
        leakage=spec.data.leakage, require=spec.data.require, measures=resolved.measures, text=task.text_column,
        seed=spec.data.split.seed,
    )
    if spec.data.review:
        words, doubtful = review.read(resolved.root / spec.data.review.file).identity(), spec.data.review.doubtful
        draft.add(
            "review", ["gather", "freeze", "curate"], same={"task": task, "decisions": words, "doubtful": doubtful},
            task=task, file=str(spec.data.review.file), doubtful=doubtful,
        )
        draft.plays["curate"] = "review"  # all that comes after takes the rows that experts left


def survey(resolved: Resolved, rows: int) -> Plan:
    """The plan of an advice: the rows as a build makes them, and what exists already, tried on `rows` validation rows.

    The contenders of the spec that need no training are tried, and its teacher where that is an endpoint.
    """
    draft = Draft(resolved.root, resolved.spec.models)
    _rows(draft, resolved)
    spec, judge = resolved.spec, _judge(resolved)
    metric = next(each for each in judge.metrics if each.name == (spec.gate.metric or judge.primary_metric))
    asked: dict[str, Any] = {
        "task": resolved.task, "objective": resolved.objective, "judge": judge, "metric": metric.name, "rows": rows,
        "seed": spec.train.seed,
    }
    ways: dict[str, dict[str, Any]] = {
        each.kind: {"contender": each, "uses": [each, resolved.task, judge]}
        for each in resolved.contenders if each.in_gate and not each.uses_adapter
    }
    if isinstance(spec.models.teacher, Endpoint) and resolved.task.output_type in ("labels", "text"):
        ways["teacher"] = {"endpoints": {"teacher": spec.models.teacher}, "uses": [resolved.task, judge]}
    for name, way in ways.items():
        draft.add(f"trial[{name}]", ["base", "gather", "freeze", "curate"], **asked, **way)
    draft.add(
        "survey", ["freeze", "curate", *(f"trial[{name}]" for name in ways)], task=resolved.task, metric=metric.name,
        higher_is_better=metric.higher_is_better, change=spec.data.facts.change if spec.data.facts else "",
    )
    return Plan(spec.name, resolved.task.kind, tuple(draft.stages.values()))


def _compared_by(resolved: Resolved) -> list[str]:
    """The embedder, when leakage is looked for in meaning too and the spec names one."""
    spec = resolved.spec
    return ["embedder"] if spec.data.leakage.semantic and spec.models.embedder else []


def _asked(data: Data) -> dict[str, Any]:
    """What experts must have said for the gate to open, where it is asked."""
    return {"review": data.review.model_dump(include={"share", "acceptance"})} if data.review else {}


def _skips(data: Data) -> dict[str, Any]:
    """What is said about wrong records, where it is not the default."""
    return {} if data.on_error == "stop" else {"on_error": data.on_error}


def _model(draft: Draft, resolved: Resolved) -> None:
    spec, task, objective = resolved.spec, resolved.task, resolved.objective
    draft.add(
        "preflight", ["base", "gather", "curate"], uses=[task, objective],
        task=task, objective=objective, limits=spec.data.preflight, seed=spec.train.seed,
    )
    draft.add(
        "train", ["base", "gather", "freeze", "curate"], uses=[objective], after=["preflight"],
        task=task, objective=objective, adapter=spec.adapter, train=spec.train, seed=spec.train.seed,
    )
    for contender in resolved.contenders:
        judges = [_judge(resolved)] if contender.uses_validation_score else []
        judged: dict[str, Any] = {"judge": judges[0], "metric": spec.gate.metric} if judges else {}
        draft.add(
            f"answer[{contender.kind}]", _inputs(contender), uses=[contender, task, *judges],
            contender=contender, task=task, objective=objective, seed=spec.train.seed, **judged,
        )


def _inputs(contender: Contender) -> list[str]:
    return ["base", "gather", "freeze", "curate", *(["train"] if contender.uses_adapter else [])]


def _judge(resolved: Resolved) -> Eval:
    """The eval whose metric the gate reads: contenders that choose their settings ask it about validation rows."""
    evals = [each for each in resolved.evals if each.metrics]
    wanted = resolved.spec.gate.metric
    return next((each for each in evals if wanted in {metric.name for metric in each.metrics}), evals[0])


def _base(draft: Draft, stage: str, reference: str) -> None:
    """A stage that resolves a base; none other may speak to a hub."""
    known = {"student": bases.compute_base_identity(reference, draft.root)}
    draft.add(stage, student=reference, same=known, hosts=bases.list_base_hosts(reference, draft.root))


def _further(resolved: Resolved) -> dict[str, str | Endpoint]:
    """The further models that any plugin of the spec uses, by alias."""
    plugins = (
        resolved.task, resolved.objective, *resolved.sources, *resolved.synthesizers, *resolved.curators,
        *resolved.measures, *resolved.contenders, *resolved.evals,
    )
    aliases = sorted({*_compared_by(resolved), *(alias for plugin in plugins for alias in plugin.get_required_models())})
    return {alias: resolved.spec.models.named(alias) for alias in aliases}


def _judgement(draft: Draft, resolved: Resolved) -> None:
    spec = resolved.spec
    answers = [f"answer[{contender.kind}]" for contender in resolved.contenders]
    tuned = next(each.kind for each in resolved.contenders if each.uses_adapter and each.in_gate)
    evals = [each for each in resolved.evals if not isinstance(each, Probe)]
    probes = [each for each in resolved.evals if isinstance(each, Probe)]
    draft.add(
        "score", ["gather", "freeze", "curate", *answers], uses=evals, evals=evals, seed=spec.gate.seed
    )
    for probe in probes:
        draft.add(f"probe[{probe.kind}]", ["base", "train"], uses=[probe], probe=probe, seed=spec.gate.seed)
    probed = [f"probe[{probe.kind}]" for probe in probes]
    draft.add(
        "gate", ["score", "curate", *probed], gate=spec.gate,
        prompted=[each.kind for each in resolved.contenders if each.is_prompt_only],
        shown=[each.kind for each in resolved.contenders if not each.in_gate], **_asked(spec.data),
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
        "require": spec.data.require, "limit": spec.data.limit, **_skips(spec.data),
        **_asked(spec.data), **({"facts": spec.data.facts} if spec.data.facts else {}),
    }
    told = {name: said(value, root) for name, value in blocks.items()}
    told["data"] = {name: said(value, root) for name, value in data.items()}
    for name in ("adapter", "train", "gate"):
        told[name] = compute_fields_identity(getattr(spec, name), root)
    models = {"student": spec.models.student, **_further(resolved)}
    told["models"] = {
        name: bases.compute_base_identity(model, root) if isinstance(model, str) else model.build_cache_identity() for name, model in models.items()
    }
    return {"apiVersion": spec.apiVersion, "name": spec.name, **told}
