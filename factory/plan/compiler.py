"""A spec compiled: an ordered graph of frozen stages with a key each. Pure: no I/O beyond fingerprints of inputs."""

from __future__ import annotations

from typing import Any

from factory import models
from factory.api import Contender, Endpoint, Eval, Probe
from factory.api.plugin import compute_fields_identity
from factory.data.review_decisions import read_decisions
from factory.plan.builder import Plan, PlanBuilder, Stage, compute_part_identity
from factory.spec.fields import Data
from factory.spec.layers import ResolvedSpec

__all__ = ["Plan", "Stage", "compile_plan"]


def compile_plan(resolved: ResolvedSpec) -> Plan:
    """The plan of a spec. The same spec, inputs and plugin versions give the same keys anywhere."""
    draft = PlanBuilder(resolved.root, resolved.spec.models)
    _add_row_stages(draft, resolved)
    _add_training_stages(draft, resolved)
    _add_evaluation_stages(draft, resolved)
    return Plan(resolved.spec.name, resolved.task.kind, tuple(draft.stages.values()))


def _add_row_stages(draft: PlanBuilder, resolved: ResolvedSpec) -> None:
    spec, task = resolved.spec, resolved.task
    student = spec.models.student
    _add_base_stage(draft, "base", student)
    for alias, model in _collect_further_models(resolved).items():
        if isinstance(model, str):
            _add_base_stage(draft, f"base[{alias}]", model)
    draft.add_stage("gather", uses=resolved.sources, sources=resolved.sources, seed=spec.data.split.seed, **_build_error_policy(spec.data))
    draft.add_stage("prepare", ["base", "gather"], uses=[task], task=task, seed=spec.data.split.seed)
    draft.add_stage("freeze", ["prepare"], split=spec.data.split, text=task.text_column)
    draft.add_stage(
        "synthesize", ["base", "gather", "freeze"], uses=resolved.synthesizers,
        task=task, synthesizers=resolved.synthesizers, limit=spec.data.limit, seed=spec.data.split.seed,
    )
    draft.add_stage(
        "curate", ["base", "gather", "freeze", "synthesize", *(f"base[{alias}]" for alias in _list_leakage_models(resolved))],
        uses=[*resolved.curators, *resolved.metric_curators], task=task, curators=resolved.curators,
        leakage=spec.data.leakage, require=spec.data.require, measures=resolved.metric_curators, text=task.text_column,
        seed=spec.data.split.seed,
    )
    if spec.data.review:
        words, doubtful = read_decisions(resolved.root / spec.data.review.file).compute_decisions_key(), spec.data.review.doubtful
        draft.add_stage(
            "review", ["gather", "freeze", "curate"], same={"task": task, "decisions": words, "doubtful": doubtful},
            task=task, file=str(spec.data.review.file), doubtful=doubtful,
        )
        draft.role_overrides["curate"] = "review"  # all that comes after takes the rows that experts left


def compile_advice_plan(resolved: ResolvedSpec, rows: int) -> Plan:
    """The plan of an advice: the rows as a build makes them, and what exists already, tried on `rows` validation rows.

    The contenders of the spec that need no training are tried, and its teacher where that is an endpoint.
    """
    draft = PlanBuilder(resolved.root, resolved.spec.models)
    _add_row_stages(draft, resolved)
    spec, judge = resolved.spec, _choose_gate_eval(resolved)
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
        draft.add_stage(f"baseline_trial[{name}]", ["base", "gather", "freeze", "curate"], **asked, **way)
    draft.add_stage(
        "advice", ["freeze", "curate", *(f"baseline_trial[{name}]" for name in ways)], task=resolved.task, metric=metric.name,
        higher_is_better=metric.higher_is_better, change=spec.data.facts.change if spec.data.facts else "",
    )
    return Plan(spec.name, resolved.task.kind, tuple(draft.stages.values()))


def _list_leakage_models(resolved: ResolvedSpec) -> list[str]:
    """The embedder, when leakage is looked for in meaning too and the spec names one."""
    spec = resolved.spec
    return ["embedder"] if spec.data.leakage.cosine and spec.models.embedder else []


def _build_review_requirement(data: Data) -> dict[str, Any]:
    """What experts must have said for the gate to open, where it is asked."""
    return {"review": data.review.model_dump(include={"share", "acceptance"})} if data.review else {}


def _build_error_policy(data: Data) -> dict[str, Any]:
    """What is said about wrong records, where it is not the default."""
    return {} if data.on_error == "stop" else {"on_error": data.on_error}


def _add_training_stages(draft: PlanBuilder, resolved: ResolvedSpec) -> None:
    spec, task, objective = resolved.spec, resolved.task, resolved.objective
    draft.add_stage(
        "preflight", ["base", "gather", "curate"], uses=[task, objective],
        task=task, objective=objective, limits=spec.data.preflight, seed=spec.train.seed,
    )
    draft.add_stage(
        "train", ["base", "gather", "freeze", "curate"], uses=[objective], after=["preflight"],
        task=task, objective=objective, adapter=spec.adapter, train=spec.train, seed=spec.train.seed,
    )
    for contender in resolved.contenders:
        judges = [_choose_gate_eval(resolved)] if contender.uses_validation_score else []
        judged: dict[str, Any] = {"judge": judges[0], "metric": spec.gate.metric} if judges else {}
        draft.add_stage(
            f"answer[{contender.kind}]", _list_answer_inputs(contender), uses=[contender, task, *judges],
            contender=contender, task=task, objective=objective, seed=spec.train.seed, **judged,
        )


def _list_answer_inputs(contender: Contender) -> list[str]:
    return ["base", "gather", "freeze", "curate", *(["train"] if contender.uses_adapter else [])]


def _choose_gate_eval(resolved: ResolvedSpec) -> Eval:
    """The eval whose metric the gate reads: contenders that choose their settings ask it about validation rows."""
    evals = [each for each in resolved.evals if each.metrics]
    wanted = resolved.spec.gate.metric
    return next((each for each in evals if wanted in {metric.name for metric in each.metrics}), evals[0])


def _add_base_stage(draft: PlanBuilder, stage: str, reference: str) -> None:
    """A stage that resolves a base; none other may speak to a hub."""
    known = {"student": models.compute_base_identity(reference, draft.root)}
    draft.add_stage(stage, student=reference, same=known, hosts=models.list_base_hosts(reference, draft.root))


def _collect_further_models(resolved: ResolvedSpec) -> dict[str, str | Endpoint]:
    """The further models that any plugin of the spec uses, by alias."""
    plugins = (
        resolved.task, resolved.objective, *resolved.sources, *resolved.synthesizers, *resolved.curators,
        *resolved.metric_curators, *resolved.contenders, *resolved.evals,
    )
    aliases = sorted({*_list_leakage_models(resolved), *(alias for plugin in plugins for alias in plugin.get_required_models())})
    return {alias: resolved.spec.models.get_named_model(alias) for alias in aliases}


def _add_evaluation_stages(draft: PlanBuilder, resolved: ResolvedSpec) -> None:
    spec = resolved.spec
    answers = [f"answer[{contender.kind}]" for contender in resolved.contenders]
    tuned = next(each.kind for each in resolved.contenders if each.uses_adapter and each.in_gate)
    evals = [each for each in resolved.evals if not isinstance(each, Probe)]
    probes = [each for each in resolved.evals if isinstance(each, Probe)]
    draft.add_stage(
        "score", ["gather", "freeze", "curate", *answers], uses=evals, evals=evals, seed=spec.gate.seed
    )
    for probe in probes:
        draft.add_stage(f"forgetting[{probe.kind}]", ["base", "train"], uses=[probe], probe=probe, seed=spec.gate.seed)
    probed = [f"forgetting[{probe.kind}]" for probe in probes]
    draft.add_stage(
        "gate", ["score", "curate", *probed], gate=spec.gate,
        prompted=[each.kind for each in resolved.contenders if each.is_prompt_only],
        shown=[each.kind for each in resolved.contenders if not each.in_gate], **_build_review_requirement(spec.data),
    )
    draft.add_stage(
        "bundle",
        ["base", "gather", "prepare", "freeze", "curate", "preflight", "train", "score", "gate", *answers],
        name=spec.name, task=resolved.task, objective=resolved.objective, adapter=spec.adapter,
        targets=resolved.targets, spec=_build_bundle_spec(resolved), tuned=tuned, seed=spec.train.seed,
    )
    draft.add_stage(
        "certify", ["base", "gather", "freeze", "bundle", f"answer[{tuned}]"],
        task=resolved.task, objective=resolved.objective, tuned=tuned, seed=spec.train.seed,
    )


def _build_bundle_spec(resolved: ResolvedSpec) -> dict[str, Any]:
    """The resolved spec as it goes into the bundle: what does not change the output, or was not chosen, left out."""
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
    told = {name: compute_part_identity(value, root) for name, value in blocks.items()}
    told["data"] = {name: compute_part_identity(value, root) for name, value in data.items()}
    for name in ("adapter", "train", "gate"):
        told[name] = compute_fields_identity(getattr(spec, name), root)
    references = {"student": spec.models.student, **_collect_further_models(resolved)}
    told["models"] = {
        name: models.compute_base_identity(model, root) if isinstance(model, str) else model.build_cache_identity() for name, model in references.items()
    }
    return {"apiVersion": spec.apiVersion, "name": spec.name, **told}
