"""Checks of the blocks `train` and `adapter` against the objective, which must be able to do what the fields say."""

from __future__ import annotations

from typing import Any, cast

from factory.api import Adapter, CausalLMObjective, Objective, get_number
from factory.api.auto_settings import RANKS
from factory.api.training_args import AdapterBlock
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
    if draft.spec is not None:
        _check_adapter(draft, draft.spec.adapter, objective)


def _check_adapter(draft: SpecDraft, adapter: AdapterBlock, objective: Objective) -> None:
    """Report what this objective cannot train, and settings of `train` that its kind has no use for."""
    steps = ("adapter", "kind")
    if adapter.kind == "head" and not objective.modules_to_save:
        draft.add_problem(steps, f"the objective {objective.kind!r} has no new head to train; use lora, qlora or full")
    generative = isinstance(objective, CausalLMObjective)
    if adapter.kind == "qlora" and not generative:
        draft.add_problem(steps, f"qlora is for generative bases; {objective.kind!r} trains an encoder: use lora")
    if adapter.trainable_tokens and not generative:
        text = f"words are learnt by generative bases; {objective.kind!r} trains an encoder: remove this field"
        draft.add_problem(("adapter", "trainable_tokens"), text)
    if adapter.kind in ("full", "head") and draft.get_value("train", "precision") == "bf16":
        text = f"`kind: {adapter.kind}` trains in fp32; remove this field, or see adapter.save"
        draft.add_problem(("train", "precision"), text)
    checkpointing = "gradient_checkpointing" if draft.get_value("train", "gradient_checkpointing") else ""
    if draft.get_value("train", "backend") == "cpu" and (needed := adapter.find_hf_feature() or checkpointing):
        draft.add_problem(("train", "backend"), f"{needed} needs the backend hf; use auto or hf")


def describe_adapter(draft: SpecDraft, objective: Objective) -> dict[str, Any]:
    """Return what targets ask of an artifact, as the manifest of its bundle will have it.

    A rank that is left to the rows is the largest that may be chosen: no build may end at its last stage.
    """
    if draft.spec is None:
        return {"artifact": "adapter", "rank": Adapter().rank}
    adapter = draft.spec.adapter
    if adapter.kind in ("full", "head"):
        return {"artifact": "weights"}
    rank = get_number(adapter.rank, RANKS[-1] if isinstance(objective, CausalLMObjective) else Adapter().rank)
    return {"artifact": "adapter", "rank": rank, **adapter.list_extras()}
