"""The seeds of a spec, and the stages whose answers are judged: of several seeds, those of each."""

from __future__ import annotations

from factory.plan.gate_metric import choose_tuned_contender
from factory.plan.seed_names import name_seed
from factory.spec.layers import ResolvedSpec


def list_seeds(resolved: ResolvedSpec) -> list[int]:
    """Return the seeds that a spec trains, the first one first."""
    train = resolved.spec.train
    return [train.seed + number for number in range(train.seeds)]


def has_several_seeds(resolved: ResolvedSpec) -> bool:
    """Return whether the plan has a training and answers per seed."""
    return resolved.spec.train.seeds > 1


def list_tuned_answers(resolved: ResolvedSpec) -> list[str]:
    """Return the stages of the tuned answers that are judged: one, or one per seed."""
    tuned = choose_tuned_contender(resolved)
    if not has_several_seeds(resolved):
        return [f"answer[{tuned}]"]
    return [f"answer[{name_seed(tuned, seed)}]" for seed in list_seeds(resolved)]


def list_scored_answers(resolved: ResolvedSpec) -> list[str]:
    """Return the answer stages that are scored, in the order of the contenders."""
    tuned, stages = choose_tuned_contender(resolved), list[str]()
    for contender in resolved.contenders:
        is_tuned = contender.kind == tuned
        stages += list_tuned_answers(resolved) if is_tuned else [f"answer[{contender.kind}]"]
    return stages
