"""The names of stages and contenders of one seed, where a spec trains several. Imports nothing."""

from __future__ import annotations

SEED_WORD = " seed "
"""Between a contender and its seed: `answer[tuned seed 8]`. No kind contains a blank."""


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


def strip_stage_seed(stage: str) -> str:
    """Return `train` of `train[seed 8]`, and `answer[tuned]` of `answer[tuned seed 8]`."""
    kind, _, instance = stage.partition("[")
    plain = f" {instance.removesuffix(']')}".partition(SEED_WORD)[0].strip()
    return f"{kind}[{plain}]" if plain else kind
