"""A GGUF file becomes a folder that every library loads: safetensors, config, tokenizer with its chat template."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from factory.errors import InputError

QUANTIZER_ATTRIBUTES = ("hf_quantizer", "is_quantized", "quantization_method")
"""Attributes by which a model refuses to be saved, though its weights are plain by then."""


def convert_gguf(file: Path, out: Path) -> None:
    """Write the causal language model in a GGUF file to a folder. Equal files give equal bytes on one software stack.

    The weights become bfloat16: more bits than any GGUF quantisation keeps, and the type that small models ship in.
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
        said = (str(error).splitlines() or [""])[0]
        raise InputError(f"{name}: transformers can not read this GGUF: {type(error).__name__}: {said}") from error
    for attribute in QUANTIZER_ATTRIBUTES:
        model.__dict__.pop(attribute, None)
    for attribute in ("quantization_config", "_model_name_or_path"):
        model.config.__dict__.pop(attribute, None)
    shutil.rmtree(out, ignore_errors=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    _canonicalise_files(out)


def _canonicalise_files(out: Path) -> None:
    """Give the files their canonical form: sorted keys, one mode."""
    for path in sorted(out.rglob("*")):
        if path.name in ("config.json", "generation_config.json", "tokenizer_config.json"):
            value = json.loads(path.read_text())
            path.write_text(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n")
        path.chmod(0o644)
