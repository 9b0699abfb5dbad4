"""The seeds of a spec that trains several models on the same rows, and the names of their stages."""

from __future__ import annotations

from factory.plan.gate_metric import choose_tuned_contender
from factory.spec.layers import ResolvedSpec

SEED_WORD = " seed "
"""Between a contender and its seed: `answer[tuned seed 8]`. No kind contains a blank."""


def list_seeds(resolved: ResolvedSpec) -> list[int]:
    """Return the seeds that a spec trains, the first one first."""
    train = resolved.spec.train
    return [train.seed + number for number in range(train.seeds)]


def has_several_seeds(resolved: ResolvedSpec) -> bool:
    """Return whether the plan has a training and answers per seed."""
    return resolved.spec.train.seeds > 1


def name_training(seed: int) -> str:
    """Return the stage that trains with this seed, of several."""
    return f"train[seed {seed}]"


def name_seed(contender: str, seed: int) -> str:
    """Return the contender `tuned` as trained with this seed, of several: `tuned seed 8`."""
    return f"{contender}{SEED_WORD}{seed}"


def find_seed(contender: str) -> int | None:
    """Return the seed of `tuned seed 8`; None of a contender without one."""
    _, word, seed = contender.partition(SEED_WORD)
    return int(seed) if word else None


def strip_seed(contender: str) -> str:
    """Return `tuned` of `tuned seed 8`."""
    return contender.partition(SEED_WORD)[0]


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
