"""Compilation of a spec to a plan: an ordered graph of stages with keys. No I/O but fingerprints of the inputs."""

from __future__ import annotations

from typing import Any

from factory import models
from factory.api import Endpoint, Eval, Probe
from factory.api.spec_block import compute_fields_identity
from factory.data.review_decisions import read_decisions
from factory.plan.builder import Plan, PlanBuilder, Stage, compute_part_identity
from factory.spec.fields import Data
from factory.spec.layers import ResolvedSpec

__all__ = ["Plan", "Stage", "compile_plan"]


def compile_plan(resolved: ResolvedSpec) -> Plan:
    """Return the plan of a spec. The same spec, inputs and plugin versions give the same keys on any machine."""
    builder = PlanBuilder(resolved.root, resolved.spec.models)
    _add_row_stages(builder, resolved)
    _add_training_stages(builder, resolved)
    _add_evaluation_stages(builder, resolved)
    return Plan(resolved.spec.name, resolved.task.kind, tuple(builder.stages.values()))


def _add_row_stages(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    spec, task, seed = resolved.spec, resolved.task, resolved.spec.data.split.seed
    leakage_models = [f"base[{alias}]" for alias in _list_leakage_models(resolved)]
    _add_base_stage(builder, "base", spec.models.student)
    for alias, model in _collect_further_models(resolved).items():
        if isinstance(model, str):
            _add_base_stage(builder, f"base[{alias}]", model)
    policy = _build_error_policy(spec.data)
    builder.add_stage("gather", uses=resolved.sources, sources=resolved.sources, seed=seed, **policy)
    builder.add_stage("prepare", ["base", "gather"], uses=[task], task=task, seed=seed)
    builder.add_stage("freeze", ["prepare"], split=spec.data.split, text=task.text_column)
    builder.add_stage(
        "synthesize", ["base", "gather", "freeze"], uses=resolved.synthesizers,
        task=task, synthesizers=resolved.synthesizers, limit=spec.data.limit, seed=seed,
    )
    builder.add_stage(
        "curate", ["base", "gather", "freeze", "synthesize", *leakage_models],
        uses=[*resolved.curators, *resolved.metric_curators], task=task, curators=resolved.curators, seed=seed,
        leakage=spec.data.leakage, require=spec.data.require, measures=resolved.metric_curators, text=task.text_column,
    )
    if spec.data.review:
        doubtful = spec.data.review.doubtful
        decisions = read_decisions(resolved.root / spec.data.review.file).compute_decisions_key()
        builder.add_stage(
            "review", ["gather", "freeze", "curate"],
            identity_parts={"task": task, "decisions": decisions, "doubtful": doubtful},
            task=task, file=str(spec.data.review.file), doubtful=doubtful,
        )
        builder.role_overrides["curate"] = "review"  # later stages read the reviewed rows


def compile_advice_plan(resolved: ResolvedSpec, rows: int) -> Plan:
    """Return the plan of `factory advise`: the row stages of a build, then baseline trials on `rows` validation rows.

    The trials cover the contenders that need no training, and the teacher if it is an endpoint.
    """
    builder = PlanBuilder(resolved.root, resolved.spec.models)
    _add_row_stages(builder, resolved)
    spec, judge = resolved.spec, _choose_gate_eval(resolved)
    metric = next(metric for metric in judge.metrics if metric.name == (spec.gate.metric or judge.primary_metric))
    trials: dict[str, dict[str, Any]] = {
        contender.kind: {"contender": contender, "uses": [contender, resolved.task, judge]}
        for contender in resolved.contenders if contender.in_gate and not contender.uses_adapter
    }
    if isinstance(spec.models.teacher, Endpoint) and resolved.task.output_type in ("labels", "text"):
        trials["teacher"] = {"endpoints": {"teacher": spec.models.teacher}, "uses": [resolved.task, judge]}
    for name, parts in trials.items():
        builder.add_stage(
            f"baseline_trial[{name}]", ["base", "gather", "freeze", "curate"], task=resolved.task,
            objective=resolved.objective, judge=judge, metric=metric.name, rows=rows, seed=spec.train.seed, **parts,
        )
    builder.add_stage(
        "advice", ["freeze", "curate", *(f"baseline_trial[{name}]" for name in trials)],
        task=resolved.task, metric=metric.name, higher_is_better=metric.higher_is_better,
        change=spec.data.facts.change if spec.data.facts else "",
    )
    return Plan(spec.name, resolved.task.kind, tuple(builder.stages.values()))


def _list_leakage_models(resolved: ResolvedSpec) -> list[str]:
    """Return the embedder if leakage compares embeddings and the spec sets one."""
    spec = resolved.spec
    return ["embedder"] if spec.data.leakage.cosine and spec.models.embedder else []


def _build_review_requirement(data: Data) -> dict[str, Any]:
    """Return the review that the gate requires, if any."""
    return {"review": data.review.model_dump(include={"share", "acceptance"})} if data.review else {}


def _build_error_policy(data: Data) -> dict[str, Any]:
    """Return `on_error` only if it is not the default, so that the default adds nothing to a key."""
    return {} if data.on_error == "stop" else {"on_error": data.on_error}


def _add_training_stages(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    spec, task, objective = resolved.spec, resolved.task, resolved.objective
    builder.add_stage(
        "preflight", ["base", "gather", "curate"], uses=[task, objective],
        task=task, objective=objective, limits=spec.data.preflight, seed=spec.train.seed,
    )
    builder.add_stage(
        "train", ["base", "gather", "freeze", "curate"], uses=[objective], after=["preflight"],
        task=task, objective=objective, adapter=spec.adapter, train=spec.train, seed=spec.train.seed,
    )
    for contender in resolved.contenders:
        inputs = ["base", "gather", "freeze", "curate", *(["train"] if contender.uses_adapter else [])]
        judges = [_choose_gate_eval(resolved)] if contender.uses_validation_score else []
        scoring: dict[str, Any] = {"judge": judges[0], "metric": spec.gate.metric} if judges else {}
        builder.add_stage(
            f"answer[{contender.kind}]", inputs, uses=[contender, task, *judges],
            contender=contender, task=task, objective=objective, seed=spec.train.seed, **scoring,
        )


def _choose_gate_eval(resolved: ResolvedSpec) -> Eval:
    """Return the eval of the gate's metric, which also scores validation rows for contenders that tune settings."""
    evals = [plugin for plugin in resolved.evals if plugin.metrics]
    name = resolved.spec.gate.metric
    return next((plugin for plugin in evals if name in {metric.name for metric in plugin.metrics}), evals[0])


def _add_base_stage(builder: PlanBuilder, stage: str, reference: str) -> None:
    """Add a stage that resolves a base model, the only kind of stage that may contact a hub."""
    identity_parts = {"student": models.compute_base_identity(reference, builder.root)}
    hosts = models.list_base_hosts(reference, builder.root)
    builder.add_stage(stage, student=reference, identity_parts=identity_parts, hosts=hosts)


def _collect_further_models(resolved: ResolvedSpec) -> dict[str, str | Endpoint]:
    """Return the models that plugins of the spec use beside the student, by alias."""
    plugins = (
        resolved.task, resolved.objective, *resolved.sources, *resolved.synthesizers, *resolved.curators,
        *resolved.metric_curators, *resolved.contenders, *resolved.evals,
    )
    required = (alias for plugin in plugins for alias in plugin.get_required_models())
    aliases = sorted({*_list_leakage_models(resolved), *required})
    return {alias: resolved.spec.models.get_named_model(alias) for alias in aliases}


def _add_evaluation_stages(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    spec = resolved.spec
    answers = [f"answer[{contender.kind}]" for contender in resolved.contenders]
    tuned = next(contender.kind for contender in resolved.contenders if contender.uses_adapter and contender.in_gate)
    evals = [plugin for plugin in resolved.evals if not isinstance(plugin, Probe)]
    probes = {f"forgetting[{plugin.kind}]": plugin for plugin in resolved.evals if isinstance(plugin, Probe)}
    builder.add_stage("score", ["gather", "freeze", "curate", *answers], uses=evals, evals=evals, seed=spec.gate.seed)
    for stage, probe in probes.items():
        builder.add_stage(stage, ["base", "train"], uses=[probe], probe=probe, seed=spec.gate.seed)
    builder.add_stage(
        "gate", ["score", "curate", *probes], gate=spec.gate,
        prompted=[contender.kind for contender in resolved.contenders if contender.is_prompt_only],
        shown=[contender.kind for contender in resolved.contenders if not contender.in_gate],
        **_build_review_requirement(spec.data),
    )
    builder.add_stage(
        "bundle",
        ["base", "gather", "prepare", "freeze", "curate", "preflight", "train", "score", "gate", *answers],
        name=spec.name, task=resolved.task, objective=resolved.objective, adapter=spec.adapter,
        targets=resolved.targets, spec=_build_bundle_spec(resolved), tuned=tuned, seed=spec.train.seed,
    )
    builder.add_stage(
        "certify", ["base", "gather", "freeze", "bundle", f"answer[{tuned}]"],
        task=resolved.task, objective=resolved.objective, tuned=tuned, seed=spec.train.seed,
    )


def _build_bundle_spec(resolved: ResolvedSpec) -> dict[str, Any]:
    """Return the resolved spec for the bundle, without runtime fields and profiles."""
    spec, root = resolved.spec, resolved.root
    blocks = {
        "task": resolved.task, "objective": resolved.objective, "contenders": resolved.contenders,
        "evaluate": resolved.evals, "targets": resolved.targets,
    }
    data = {
        "sources": resolved.sources, "synthesize": resolved.synthesizers, "curate": resolved.curators,
        "split": spec.data.split, "leakage": spec.data.leakage, "preflight": spec.data.preflight,
        "require": spec.data.require, "limit": spec.data.limit, **_build_error_policy(spec.data),
        **_build_review_requirement(spec.data), **({"facts": spec.data.facts} if spec.data.facts else {}),
    }
    described = {name: compute_part_identity(value, root) for name, value in blocks.items()}
    described["data"] = {name: compute_part_identity(value, root) for name, value in data.items()}
    for name in ("adapter", "train", "gate"):
        described[name] = compute_fields_identity(getattr(spec, name), root)
    references = {"student": spec.models.student, **_collect_further_models(resolved)}
    described["models"] = {
        name: models.compute_base_identity(model, root) if isinstance(model, str) else model.build_cache_identity()
        for name, model in references.items()
    }
    return {"apiVersion": spec.apiVersion, "name": spec.name, **described}
