"""The adapter as PEFT writes it: `adapter_config.json` and `adapter_model.safetensors`."""

from __future__ import annotations

import json
from pathlib import Path

from peft import LoraConfig
from safetensors.torch import save_file
from torch import nn

from factory.api import Adapter
from factory.ml.trainer import LoraLearner

PEFT_PREFIX = "base_model.model."


def save_adapter(
    learner: LoraLearner, adapter: Adapter, folder: Path, *, base: str, modules_to_save: tuple[str, ...], task_type: str
) -> None:
    """Write the two files. `base` is the id that the adapter goes on; `task_type` is PEFT's word, such as `SEQ_CLS`."""
    tensors = {f"{PEFT_PREFIX}{_convert_to_peft_name(name)}": value.detach().contiguous() for name, value in learner.collect_trainable_parameters().items()}
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = LoraConfig(
        r=adapter.rank, lora_alpha=_convert_whole_number(adapter.alpha), lora_dropout=adapter.dropout, task_type=task_type or None,
        target_modules=_list_target_modules(learner, task_type), modules_to_save=list(modules_to_save) or None, base_model_name_or_path=base,
        inference_mode=True, bias="none",
    )
    said = {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    (folder / "adapter_config.json").write_text(json.dumps(said, sort_keys=True, indent=2) + "\n")


def _list_target_modules(learner: LoraLearner, task_type: str) -> list[str]:
    """The adapted layers: of a causal model by the last part of their names, where that names no other layer.

    An encoder is learned without its pooler, which a plain library loads with it: there a last part could name more.
    """
    last = {name.rpartition(".")[2] for name in learner.lora_layers}
    bare = {name.rpartition(".")[2] for name, module in learner.model.named_modules() if isinstance(module, nn.Linear)}
    return sorted(learner.lora_layers) if last & bare or task_type != "CAUSAL_LM" else sorted(last)


def _convert_to_peft_name(parameter: str) -> str:
    """`….lora_A` in our layers is `….lora_A.weight` in PEFT's."""
    return f"{parameter}.weight" if parameter.endswith((".lora_A", ".lora_B")) else parameter


def _convert_whole_number(number: float) -> float:
    """`32` rather than `32.0`, as PEFT and those who read its files write it."""
    return int(number) if number.is_integer() else number
