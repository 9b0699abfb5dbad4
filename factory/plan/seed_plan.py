"""The planners of trainings and answers of a spec with several seeds.

Each seed has the stages of a spec that sets this seed alone, so that they have the same keys: a build with one seed
more trains that one only. The stage `train` then chooses the seed that is bundled, by validation rows, and
`answer[tuned]` has its answers: what is bundled, certified and probed are those.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from factory.plan import compiler
from factory.plan.builder import PlanBuilder, Stage
from factory.plan.gate_metric import choose_gate_eval, choose_tuned_contender, get_row_metric
from factory.plan.seed_names import name_training
from factory.plan.seed_stages import has_several_seeds, list_seeds, list_tuned_answers
from factory.plan.settings_stage import list_settings_input
from factory.spec.layers import ResolvedSpec


def add_train(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that trains; with several seeds one for each, and the stage that chooses among them."""
    if not has_several_seeds(resolved):
        compiler.add_train(builder, resolved)
        return
    for seed in list_seeds(resolved):
        compiler.add_train(builder, _set_seed(resolved, seed))
        builder.stages[name_training(seed)] = replace(builder.stages.pop("train"), name=name_training(seed))
    task, objective, judge = resolved.task, resolved.objective, choose_gate_eval(resolved)
    tuned, backend = choose_tuned_contender(resolved), resolved.spec.train.backend
    contender = next(contender for contender in resolved.contenders if contender.kind == tuned)
    chosen: dict[str, Any] = {} if backend == "auto" else {"train": {"backend": backend}}
    trainings = map(name_training, list_seeds(resolved))
    builder.add_stage(
        "train", ["base", "gather", "freeze", "curate", *trainings, *list_settings_input(builder)],
        uses=[contender, task, judge], contender=contender, task=task, objective=objective, judge=judge,
        metric=get_row_metric(resolved), seeds=list_seeds(resolved), seed=resolved.spec.train.seed, **chosen,
    )


def add_answer(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add a stage per contender; with several seeds tuned has one for each, and one of the seed that is bundled."""
    if not has_several_seeds(resolved):
        compiler.add_answer(builder, resolved)
        return
    tuned = f"answer[{choose_tuned_contender(resolved)}]"
    others = _plan_answers(builder, resolved, "train")
    for name in (f"answer[{contender.kind}]" for contender in resolved.contenders):
        if name not in others:
            continue  # a version that is left out
        if name != tuned:
            builder.stages[name] = others[name]
            continue
        for seed, own_name in zip(list_seeds(resolved), list_tuned_answers(resolved), strict=True):
            own = _plan_answers(builder, _set_seed(resolved, seed), name_training(seed))
            builder.stages[own_name] = replace(own[tuned], name=own_name)
        builder.add_stage(tuned, ["train", *list_tuned_answers(resolved)], seeds=list_seeds(resolved))


def _plan_answers(builder: PlanBuilder, resolved: ResolvedSpec, training: str) -> dict[str, Stage]:
    """Return the stages of a plan whose contenders answer by this training."""
    overrides = {**builder.role_overrides, "train": training}
    planned = replace(builder, stages=dict(builder.stages), role_overrides=overrides)
    compiler.add_answer(planned, resolved)
    return planned.stages


def _set_seed(resolved: ResolvedSpec, seed: int) -> ResolvedSpec:
    """Return the spec that trains with this seed alone."""
    train = resolved.spec.train.model_copy(update={"seed": seed, "seeds": 1})
    return replace(resolved, spec=resolved.spec.model_copy(update={"train": train}))
