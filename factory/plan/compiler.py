"""Compilation of a spec to a plan: an ordered graph of stages with keys. No I/O but fingerprints of the inputs."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

from factory import models
from factory.api import Endpoint, Probe, VersionContender
from factory.api.spec_block import compute_fields_identity
from factory.data.text_columns import list_text_columns
from factory.plan import incumbent_stages, stage_kinds, step_plan
from factory.plan.backend_choice import build_backend_choice
from factory.plan.builder import Plan, PlanBuilder, Stage, compute_part_identity
from factory.plan.delivery import build_deliver_part, build_delivery_parts
from factory.plan.gate_metric import (
    build_score_parts,
    choose_gate_eval,
    choose_row_metric,
    choose_tuned_contender,
    get_row_metric,
    list_timed_contenders,
)
from factory.plan.plan_notes import list_plan_notes
from factory.plan.seed_stages import has_several_seeds, list_scored_answers
from factory.plan.settings_stage import list_settings_input
from factory.spec.fields import Data
from factory.spec.layers import ResolvedSpec

__all__ = ["Plan", "Stage", "compile_plan"]


def compile_plan(resolved: ResolvedSpec) -> Plan:
    """Return the plan of a spec. The same spec, inputs and plugin versions give the same keys on any machine."""
    return compile_stages(stage_kinds.BUILD, resolved)


def compile_advice_plan(resolved: ResolvedSpec, rows: int) -> Plan:
    """Return the plan of `factory advise`: the row stages of a build, then baseline trials on `rows` validation rows.

    The trials cover the contenders that need no training, and the teacher if it is an endpoint.
    """
    return compile_stages(stage_kinds.ADVICE, resolved, rows)


def compile_stages(plan: str, resolved: ResolvedSpec, trial_rows: int = 0) -> Plan:
    """Let the planner of each kind of stage in this plan add its stages, in the order of the table."""
    builder = PlanBuilder(resolved.root, resolved.spec.models, trial_rows=trial_rows)
    if plan not in stage_kinds.COURSE:
        resolved = replace(resolved, steps=())
    for kind in stage_kinds.STAGE_KINDS:
        if plan in kind.plans:
            module, _, function = kind.planner_path.partition(":")
            step_plan.add_stages(builder, resolved, kind.name, getattr(importlib.import_module(module), function))
    stages, notes = tuple(builder.stages.values()), list_plan_notes(builder, resolved)
    return Plan(resolved.spec.name, resolved.task.kind, stages, notes)


def add_base(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the student and the further models that plugins use."""
    _add_base_stage(builder, "base", resolved.spec.models.student)
    for alias, model in _collect_further_models(resolved).items():
        if isinstance(model, str):
            _add_base_stage(builder, f"base[{alias}]", model)


def add_gather(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that reads all sources."""
    data, sources = resolved.spec.data, resolved.sources
    columns, policy = list_text_columns(resolved.task), _build_error_policy(data)
    builder.add_stage("gather", uses=sources, sources=sources, seed=data.split.seed, text_columns=columns, **policy)


def add_prepare(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that lets the task compute columns."""
    task, data = resolved.task, resolved.spec.data
    builder.add_stage("prepare", ["base", "gather"], uses=[task], task=task, seed=data.split.seed)
    # What preflight refuses anyway, as nothing between could remove the row, is refused before a corpus is embedded.
    if not (data.preflight.empty or data.limit or data.synthesize or data.curate or data.review):
        builder.add_unkeyed("prepare", refuses_empty=True)


def add_freeze(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that splits the rows."""
    builder.add_stage("freeze", ["prepare"], split=resolved.spec.data.split, text=resolved.task.text_column)


def add_synthesize(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that runs all synthesizers, one after another."""
    spec, synthesizers = resolved.spec, resolved.synthesizers
    builder.add_stage(
        "synthesize", ["base", "gather", "freeze"], uses=synthesizers,
        task=resolved.task, synthesizers=synthesizers, limit=spec.data.limit, seed=spec.data.split.seed,
    )


def add_curate(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that runs all curators, and looks for leakage."""
    spec, task, seed = resolved.spec, resolved.task, resolved.spec.data.split.seed
    leakage_models = [f"base[{alias}]" for alias in _list_leakage_models(resolved)]
    builder.add_stage(
        "curate", ["base", "gather", "freeze", "synthesize", *leakage_models],
        uses=[*resolved.curators, *resolved.metric_curators], task=task, curators=resolved.curators, seed=seed,
        leakage=spec.data.leakage, require=spec.data.require, measures=resolved.metric_curators, text=task.text_column,
    )


def add_baseline_trial(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add a trial per contender that needs no training, and one of the teacher if it is an endpoint."""
    spec, judge, metric = resolved.spec, choose_gate_eval(resolved), choose_row_metric(resolved)
    trials: dict[str, dict[str, Any]] = {
        contender.kind: {"contender": contender, "uses": [contender, resolved.task, judge]}
        for contender in resolved.contenders
        if contender.in_gate and not contender.uses_artifact and not isinstance(contender, VersionContender)
    }
    if isinstance(spec.models.teacher, Endpoint) and resolved.task.output_type in ("labels", "text"):
        trials["teacher"] = {"endpoints": {"teacher": spec.models.teacher}, "uses": [resolved.task, judge]}
    for name, parts in trials.items():
        builder.add_stage(
            f"baseline_trial[{name}]", ["base", "gather", "freeze", "curate", *list_settings_input(builder)],
            task=resolved.task,
            objective=resolved.objective, judge=judge, metric=metric.name, rows=builder.trial_rows,
            seed=spec.train.seed, **parts, **build_backend_choice(resolved),
        )


def add_advice(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that compares the trials."""
    facts, metric = resolved.spec.data.facts, choose_row_metric(resolved)
    trials = [name for name in builder.stages if name.startswith("baseline_trial[")]
    builder.add_stage(
        "advice", ["freeze", "curate", *trials],
        task=resolved.task, metric=metric.name, higher_is_better=metric.higher_is_better,
        change=facts.change if facts else "",
    )


def _list_leakage_models(resolved: ResolvedSpec) -> list[str]:
    """Return the embedder if leakage compares embeddings and the spec sets one."""
    return ["embedder"] if resolved.spec.data.leakage.cosine and resolved.spec.models.embedder else []


def _build_review_requirement(data: Data) -> dict[str, Any]:
    """Return the review that the gate requires, if any."""
    return {"review": data.review.model_dump(include={"share", "acceptance"})} if data.review else {}


def _build_error_policy(data: Data) -> dict[str, Any]:
    """Return `on_error` only if it is not the default, so that the default adds nothing to a key."""
    return {} if data.on_error == "stop" else {"on_error": data.on_error}


def add_train(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that trains."""
    spec, task, objective = resolved.spec, resolved.task, resolved.objective
    start = ["start"] if "start" in builder.role_overrides else []  # what the step before trained
    builder.add_stage(
        "train", ["base", "gather", "freeze", "curate", *start, *list_settings_input(builder)], uses=[objective],
        after=["preflight"],
        task=task, objective=objective, adapter=spec.adapter, train=spec.train, seed=spec.train.seed,
    )


def add_answer(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add a stage per contender."""
    spec, task, objective = resolved.spec, resolved.task, resolved.objective
    for contender in incumbent_stages.add_incumbent_answers(builder, resolved):
        inputs = ["base", "gather", "freeze", "curate", *list_settings_input(builder)]
        inputs += ["train"] if contender.uses_artifact else []
        judges = [choose_gate_eval(resolved)] if contender.uses_validation_score else []
        scoring: dict[str, Any] = {"judge": judges[0], "metric": get_row_metric(resolved)} if judges else {}
        scoring |= {"timed": True} if contender.kind in list_timed_contenders(resolved) else {}
        builder.add_stage(
            f"answer[{contender.kind}]", inputs, uses=[contender, task, *judges],
            contender=contender, task=task, objective=objective, seed=spec.train.seed, **scoring,
            **build_backend_choice(resolved),
        )


def _add_base_stage(builder: PlanBuilder, stage: str, reference: str) -> None:
    """Add a stage that resolves a base model, the only kind of stage that may contact a hub."""
    identity_parts = {"student": models.compute_base_identity(reference, builder.root)}
    hosts = models.list_base_hosts(reference, builder.root)
    builder.add_stage(stage, student=reference, identity_parts=identity_parts, hosts=hosts)


def _collect_further_models(resolved: ResolvedSpec) -> dict[str, str | Endpoint]:
    """Return the models that plugins of the spec use beside the student, by alias."""
    own = (each for s in resolved.steps for each in (s.objective, *s.sources, *s.synthesizers, *s.curators))
    plugins = (
        *own, resolved.task, resolved.objective, *resolved.sources, *resolved.synthesizers, *resolved.curators,
        *resolved.metric_curators, *resolved.contenders, *resolved.evals,
    )
    required = (alias for plugin in plugins for alias in plugin.get_required_models())
    aliases = sorted({*_list_leakage_models(resolved), *required})
    return {alias: resolved.spec.models.get_named_model(alias) for alias in aliases}


def _map_probes(resolved: ResolvedSpec) -> dict[str, Probe]:
    """Return stage name → probe."""
    return {f"forgetting[{plugin.kind}]": plugin for plugin in resolved.evals if isinstance(plugin, Probe)}


def add_score(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that scores all answers."""
    scored = [*list_scored_answers(resolved), *(f"answer[{name}]" for name in step_plan.list_step_contenders(resolved))]
    seed, answers = resolved.spec.gate.seed, [name for name in scored if name in builder.stages]
    evals = [plugin for plugin in resolved.evals if not isinstance(plugin, Probe)]
    chosen = ["train"] if has_several_seeds(resolved) else []
    texts, inputs = resolved.task.text_column, ["gather", "freeze", "curate", *chosen, *answers]
    parts = build_score_parts(resolved)
    builder.add_stage("score", inputs, after=["look"], uses=evals, evals=evals, text=texts, seed=seed, **parts)


def add_forgetting(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add a stage per probe."""
    for stage, probe in _map_probes(resolved).items():
        builder.add_stage(
            stage, ["base", "train"], uses=[probe], probe=probe, seed=resolved.spec.gate.seed,
            **build_backend_choice(resolved),
        )


def add_gate(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that decides the verdict."""
    spec = resolved.spec
    sliced = ["freeze"] if any(guard.slice for guard in spec.gate.guards) else []
    timed = [f"answer[{name}]" for name in list_timed_contenders(resolved)]
    slicing: dict[str, Any] = {"task": resolved.task} if sliced else {}
    chosen = ["train"] if has_several_seeds(resolved) else []
    versions, version_parts = incumbent_stages.build_gate_parts(builder, resolved)
    curated = ["curate", *step_plan.list_curations(builder)]
    inputs = ["look", "score", *curated, *sliced, *timed, *chosen, *versions, *_map_probes(resolved)]
    builder.add_stage(
        "gate", inputs, gate=spec.gate, prompted=[each.kind for each in resolved.contenders if each.is_prompt_only],
        shown=[
            *(contender.kind for contender in resolved.contenders if not contender.in_gate),
            *step_plan.list_shown_steps(resolved),
        ],
        **slicing, **version_parts, **_build_review_requirement(spec.data), **step_plan.build_step_parts(resolved),
    )


def add_bundle(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that writes the deployable folder."""
    spec, names = resolved.spec, [f"answer[{contender.kind}]" for contender in resolved.contenders]
    answers = [name for name in names if name in builder.stages]  # a version that is left out has none
    steps = step_plan.list_bundled_stages(builder)
    builder.add_stage(
        "bundle",
        ["base", "gather", "prepare", "freeze", "curate", "preflight", "train", "score", "gate", *answers,
         *steps, *list_settings_input(builder)],
        name=spec.name, task=resolved.task, objective=resolved.objective, adapter=spec.adapter,
        targets=resolved.targets, spec=_build_bundle_spec(resolved), tuned=choose_tuned_contender(resolved),
        seed=spec.train.seed, **build_delivery_parts(resolved), **build_deliver_part(resolved),
        **step_plan.build_step_parts(resolved),
    )


def add_certify(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that loads the bundle as its user would."""
    tuned = choose_tuned_contender(resolved)
    builder.add_stage(
        "certify", ["base", "gather", "freeze", "train", "bundle", f"answer[{tuned}]", *list_settings_input(builder)],
        task=resolved.task, objective=resolved.objective, tuned=tuned, seed=resolved.spec.train.seed,
        **{**build_backend_choice(resolved), **build_delivery_parts(resolved)},
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
    if resolved.steps:
        described["steps"] = step_plan.describe_steps(resolved)
    references = {"student": spec.models.student, **_collect_further_models(resolved)}
    described["models"] = {
        name: models.compute_base_identity(model, root) if isinstance(model, str) else model.build_cache_identity()
        for name, model in references.items()
    }
    return {"apiVersion": spec.apiVersion, "name": spec.name, **described}
