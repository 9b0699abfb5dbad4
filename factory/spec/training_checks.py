"""Checks of the block `train` against the objective, which must be able to do what the fields say."""

from __future__ import annotations

from typing import cast

from factory.api import Objective
from factory.spec.validation import SpecDraft


def check_training(draft: SpecDraft) -> None:
    """Report fields of `train` that the objective has no use for."""
    objective = cast("Objective | None", draft.plugins.get(("objective",)))
    if draft.step_drafts and draft.get_value("train", "seeds") not in (None, 1):
        text = "several seeds need a single objective, not a list of steps; use seeds: 1"
        draft.add_problem(("train", "seeds"), text)
    if objective is None:
        return
    if draft.get_value("train", "keep") == "best" and not objective.measures_validation:
        text = f"the objective {objective.kind!r} measures no loss on validation rows as it is set; use keep: last"
        draft.add_problem(("train", "keep"), text)
    if draft.get_value("train", "head_learning_rate") and not objective.modules_to_save:
        text = f"the objective {objective.kind!r} has no new head; remove this field"
        draft.add_problem(("train", "head_learning_rate"), text)
