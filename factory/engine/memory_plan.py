"""The memory of a training before it runs: from the base, what is trained, and the rows that an earlier build saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.api import Adapter, TrainingArgs, get_number
from factory.errors import InputError
from factory.models.training_memory import (
    GIB,
    ModelShape,
    TrainingMemory,
    TrainingSize,
    estimate_training_memory,
    explain_misfit,
    read_model_shape,
)
from factory.plan.builder import Plan
from factory.plan.step_names import find_last_training, name_step
from factory.spec.layers import ResolvedSpec
from factory.store.chosen_settings import SETTINGS, read_chosen_settings
from factory.store.machine_memory import parse_memory_limit
from factory.store.outputs import Store

GPU_FILE = Path("/dev/nvidia0")
"""Where a GPU trains, its own memory counts, which only its driver knows."""


@dataclass(frozen=True, slots=True)
class PlannedTraining:
    """The base of a training, and its size."""

    shape: ModelShape
    size: TrainingSize

    @property
    def memory(self) -> TrainingMemory:
        return estimate_training_memory(self.shape, self.size)


def require_training_memory(plan: Plan, resolved: ResolvedSpec, home: Path) -> None:
    """Raise InputError for a training that cannot fit, with what would; a base that is not resolved is not judged."""
    for training in list_planned_trainings(plan, resolved, home):
        limit = parse_memory_limit(resolved.spec.budget.memory)
        if not GPU_FILE.exists() and (problem := explain_misfit(training.shape, training.size, limit)):
            raise InputError(f"{resolved.file}: {problem}")


def describe_training_memory(plan: Plan, resolved: ResolvedSpec, home: Path) -> list[str]:
    """Return a line on the training that takes most: its peak by what takes it, and what to do if it is too high."""
    known = [each for each in list_planned_trainings(plan, resolved, home) if each.size.tokens]
    if not known:
        return []
    largest = max(known, key=lambda each: each.memory.total)
    memory, limit = largest.memory, parse_memory_limit(resolved.spec.budget.memory)
    parts = {
        "weights": memory.weights, "what is trained": memory.trained, "activations": memory.activations,
        "logits": memory.logits, "libraries": memory.libraries,
    }
    told = ", ".join(f"{name} {part / GIB:.1f}" for name, part in parts.items() if part >= 0.05 * GIB)
    peak = f"{memory.total / GIB:.1f} GiB at its peak, {largest.size.tokens:,} tokens a step"
    line = f"training takes about {peak}: {told}"
    if memory.total > limit and not GPU_FILE.exists():
        line += (
            f"; that is more than the {limit / GIB:.1f} GiB of budget.memory: raise train.gradient_accumulation, or "
            "set train.gradient_checkpointing"
        )
    return [line]


def list_planned_trainings(plan: Plan, resolved: ResolvedSpec, home: Path) -> list[PlannedTraining]:
    """Return each step's training, as far as its base is resolved; its tokens are 0 until a build has seen the rows.

    A plan that trains nothing has none.
    """
    store, names = Store(home), plan.list_stage_names()
    if find_last_training(names) not in names:
        return []
    base = store.locate_output("base", plan["base"].key)
    shape = read_model_shape(base.output / "model") if base.is_complete else None
    if shape is None:
        return []
    steps = [(each, name_step(SETTINGS, number)) for number, each in enumerate(resolved.steps, 1)]
    found = []
    for step, stage in steps or [(resolved, SETTINGS)]:
        output = store.locate_output(stage, plan[stage].key) if stage in names else None
        settings = read_chosen_settings(output.output) if output is not None and output.is_complete else {}
        found.append(PlannedTraining(shape, _build_size(step, settings)))
    return found


def _build_size(step: ResolvedSpec, settings: dict[str, Any]) -> TrainingSize:
    """Return the size of a step of training, with what was chosen for its rows."""
    adapter, train, chosen = step.spec.adapter, step.spec.train, settings.get("chosen", {})
    rank = chosen.get("adapter", {}).get("rank") or get_number(adapter.rank, Adapter().rank)
    batch = chosen.get("train", {}).get("batch_size") or get_number(train.batch_size, TrainingArgs().batch_size)
    at_once = max(1, int(batch) // train.gradient_accumulation)
    example = settings.get("example", {"tokens": 0, "answers": 0})
    is_plain = train.backend == "hf" or train.gradient_checkpointing or bool(adapter.find_hf_feature())
    return TrainingSize(
        adapter.kind, tokens=at_once * example["tokens"], answer_tokens=at_once * example["answers"], rank=int(rank),
        number_bytes=2 if train.precision == "bf16" else 4, kept_bytes=0 if is_plain or adapter.kind == "full" else 2,
        plain=is_plain, checkpointing=train.gradient_checkpointing,
    )
