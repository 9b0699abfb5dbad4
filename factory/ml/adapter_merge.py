"""Loads a saved adapter with PEFT's own code and merges it: what is judged is what PEFT would load."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import MODEL_TYPE_TO_PEFT_MODEL_MAPPING, PeftConfig, PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from factory.ml.adapter_files import PEFT_PREFIX


def merge_adapter(model: Any, folder: Path) -> int:
    """Merge a saved adapter, with its saved modules, into a model's weights; return the number of merged layers.

    Raises ValueError for an adapter that does not fit the model in every layer; PEFT would only warn.
    """
    tuned = attach_saved_adapter(model, folder)
    merged = sum(isinstance(module, BaseTunerLayer) for module in tuned.modules())
    tuned.merge_and_unload()  # in place: the layers of `model` are its own again
    return merged


def attach_saved_adapter(model: Any, folder: Path) -> Any:
    """Put a saved adapter over a model's layers, in place, without merging it; return PEFT's model.

    A 4-bit base must stay unmerged: PEFT would quantise the sums again, and say nothing. Raises ValueError for an
    adapter that does not fit.
    """
    # New PEFT layers draw random weights before the saved ones replace them: the caller's generator must not notice.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")  # PEFT reads a deprecated attribute
        return _load_peft_model(model, folder)


def _load_peft_model(model: Any, folder: Path) -> Any:
    """Do what `PeftModel.from_pretrained` does, and check which weights were found.

    Raises ValueError if a layer of the adapter is not in the model, or has no weights in the file.
    """
    config = PeftConfig.from_pretrained(str(folder))
    config.inference_mode = True
    task_class: Any = MODEL_TYPE_TO_PEFT_MODEL_MAPPING.get(config.task_type, PeftModel)
    renamed = getattr(model, "_checkpoint_conversion_mapping", {})
    try:
        tuned = task_class(model, config)
        found = tuned.load_adapter(str(folder), "default", torch_device=str(model.device), key_mapping=renamed)
    except KeyError as error:  # a saved module such as a head: PEFT looks up its weights by name
        raise ValueError(f"the adapter has no weights for {_shorten_name(error.args[0])!r}") from error
    except (RuntimeError, ValueError) as error:  # weights of another shape, or not one layer to adapt
        raise ValueError(f"the adapter does not fit this base: {error}") from error
    if found.unexpected_keys:
        name = _shorten_name(found.unexpected_keys[0])
        raise ValueError(f"the adapter has weights for {name!r}, which this base does not have")
    if found.missing_keys:
        raise ValueError(f"the adapter has no weights for {_shorten_name(found.missing_keys[0])!r}")
    return tuned


def _shorten_name(name: str) -> str:
    """Return the name of a weight without what PEFT puts before it and into it."""
    return str(name).removeprefix(PEFT_PREFIX).replace(".default", "")
