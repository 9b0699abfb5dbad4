"""Saves adapters in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`."""

from __future__ import annotations

import json
from pathlib import Path

from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from factory.api import Adapter
from factory.ml.trainer import Learner

WEIGHTS_FILE, MODEL_FILE = "adapter_model.safetensors", "model.safetensors"
PEFT_PREFIX = "base_model.model."


def save_adapter(
    learner: Learner, adapter: Adapter, folder: Path, *, base: str, modules_to_save: tuple[str, ...], task_type: str
) -> None:
    """Write the two files. `base` is the id of the base model; `task_type` is PEFT's, such as `SEQ_CLS`."""
    tensors = learner.collect_adapter_tensors().items()
    save_adapter_tensors(folder, {f"{PEFT_PREFIX}{name}": value.cpu().contiguous() for name, value in tensors})
    alpha = int(adapter.alpha) if adapter.alpha.is_integer() else adapter.alpha  # PEFT writes 32, not 32.0
    config = LoraConfig(
        r=adapter.rank, lora_alpha=alpha, lora_dropout=adapter.dropout, bias="none",
        target_modules=_list_target_modules(learner, task_type), modules_to_save=list(modules_to_save) or None,
        base_model_name_or_path=base, task_type=task_type or None, inference_mode=True,
        use_rslora=adapter.rslora, use_dora=adapter.dora,
        trainable_token_indices=list(learner.word_ids) if learner.word_ids else None,
    )
    # Sets have no stable order: equal adapters would have different files.
    fields = {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    (folder / "adapter_config.json").write_text(json.dumps(fields, sort_keys=True, indent=2) + "\n")
    if learner.word_ids:
        learner.tokenizer.save_pretrained(folder)


def load_adapter_tensors(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of a saved adapter by their names in PEFT's format, or those of a saved model."""
    return dict(load_file(_locate_tensors(folder)))


def save_adapter_tensors(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Write the tensors of an adapter, or of the model that is saved there; what was saved before is replaced."""
    save_file(tensors, _locate_tensors(folder), metadata={"format": "pt"})


def _locate_tensors(folder: Path) -> Path:
    """Return the file of a saved model, if there is one, else that of an adapter."""
    return folder / MODEL_FILE if (folder / MODEL_FILE).is_file() else folder / WEIGHTS_FILE


def _list_target_modules(learner: Learner, task_type: str) -> list[str]:
    """Return the names of the adapted layers: short ones (`q_proj`) for a causal model, unless they are ambiguous.

    An encoder gets full names: it is trained without its pooler, whose layers a short name (`dense`) would match.
    """
    adapted = learner.list_adapted_layers()
    short_names = {name.rpartition(".")[2] for name in adapted}
    modules = learner.model.named_modules()
    unadapted = {name.rpartition(".")[2] for name, module in modules if isinstance(module, nn.Linear)}
    return sorted(adapted if task_type != "CAUSAL_LM" or short_names & unadapted else short_names)
