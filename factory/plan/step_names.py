"""The names of stages and contenders of one step, where a spec trains in several. Imports nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

TRAINING = "train"
STEP_WORD = " step "
"""Between a contender and its step: `answer[tuned step 1]`. No kind contains a blank."""


def name_step(kind: str, number: int) -> str:
    """Return the stage of a step, counted from 1, such as `train[1]`."""
    return f"{kind}[{number}]"


def name_step_contender(contender: str, number: int) -> str:
    """Return the contender `tuned` with what a step made: `tuned step 1`."""
    return f"{contender}{STEP_WORD}{number}"


def find_step(contender: str) -> int | None:
    """Return the step of `tuned step 1`; None of another contender."""
    _, word, number = contender.partition(STEP_WORD)
    return int(number) if word else None


def list_step_stages(stages: Iterable[str], kind: str = TRAINING) -> list[str]:
    """Return the stages of the steps of one kind, in their order; [] without steps."""
    return [name for name in stages if re.fullmatch(rf"{kind}\[\d+\]", name)]


def find_last_training(stages: Iterable[str]) -> str:
    """Return the stage that trains what is bundled: that of the last step, or `train`."""
    return (list_step_stages(stages) or [TRAINING])[-1]
