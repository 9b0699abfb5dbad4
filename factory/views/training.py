"""What a run trained: the loss by step, the size of the trained part, and what the objective recorded."""

from __future__ import annotations

from collections.abc import Mapping

from factory.runs.run_outputs import RunOutputs
from factory.views.formatting import format_fact, format_percent


def list_training_facts(outputs: RunOutputs) -> Mapping[str, str]:
    """Return the facts of training by name, of a training course those of each step; what was not recorded is left
    out."""
    if not (steps := outputs.list_training_steps()):
        return _list_stage_facts(outputs, "train")
    return {
        f"step {number}: {name}": text for number, stage in enumerate(steps, 1)
        for name, text in _list_stage_facts(outputs, stage).items()
    }


def _list_stage_facts(outputs: RunOutputs, stage: str) -> Mapping[str, str]:
    train = outputs.read_stage_json(stage)
    trainable, parameters = train.get("trainable"), train.get("parameters")
    share = f" of {parameters:,} ({format_percent(trainable / parameters)})" if trainable and parameters else ""
    facts = {
        "steps": train.get("steps", ""), "layers with an adapter": train.get("modules") or "",
        "trained parameters": f"{trainable:,}{share}" if trainable else "",
        **{name.replace("_", " "): format_fact(value) for name, value in (train.get("facts") or {}).items()},
    }
    return {name: str(value) for name, value in facts.items() if value != ""}
