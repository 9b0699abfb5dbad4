"""Converts a GGUF file to a model folder: safetensors, config, and tokenizer with its chat template."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from factory.errors import InputError

QUANTIZER_ATTRIBUTES = ("hf_quantizer", "is_quantized", "quantization_method")
"""Attributes for which transformers refuses to save a model, although its weights are dequantised by then."""


def convert_gguf(file: Path, out: Path) -> None:
    """Write the causal language model of a GGUF file to a folder. Equal files give equal bytes on one software stack.

    Weights become bfloat16: more precise than GGUF quantisations, and the usual type of small models.
    """
    folder, name = str(file.parent), file.name
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    except OSError:
        raise
    except Exception as error:  # a parser over foreign bytes may raise anything
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(f"{name}: transformers cannot read this GGUF: {type(error).__name__}: {reason}") from error
    for attribute in QUANTIZER_ATTRIBUTES:
        model.__dict__.pop(attribute, None)
    for attribute in ("quantization_config", "_model_name_or_path"):
        model.config.__dict__.pop(attribute, None)
    shutil.rmtree(out, ignore_errors=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    _canonicalise_files(out)


def _canonicalise_files(out: Path) -> None:
    """Sort the keys of JSON files and set one file mode, so that equal models have equal digests."""
    for path in sorted(out.rglob("*")):
        if path.name in ("config.json", "generation_config.json", "tokenizer_config.json"):
            value = json.loads(path.read_text())
            path.write_text(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n")
        path.chmod(0o644)
