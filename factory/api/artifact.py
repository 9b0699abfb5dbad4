"""The artifact: what training makes of a base, and what later stages load, judge and ship."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from factory.api.jobs import Base

ArtifactKind = Literal["adapter", "weights", "head", "prompt"]
"""`adapter`: PEFT's files, loaded over the base. `weights`: a whole model folder with its tokenizer, as
`save_pretrained` writes them. `head` and `prompt`: files that only the objective itself reads."""
TENSOR_SUFFIX = ".safetensors"
PRECISION_FILE = "base_precision.json"
NF4 = "nf4"
"""4 bits a weight, at the quantiles of a normal distribution (QLoRA, arXiv:2305.14314)."""
QUANTISER, QLORA_EXTRA = "bitsandbytes", "specialist-factory[qlora]"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A trained artifact: its kind, the folder of its files (of training, or a bundle), and the base it belongs to."""

    kind: ArtifactKind
    folder: Path
    base: Base

    def list_tensor_files(self) -> list[Path]:
        """Return the safetensors files in the folder, by path."""
        return sorted(self.folder.rglob(f"*{TENSOR_SUFFIX}"))

    def find_problem(self) -> str:
        """Return which files training did not write, or ""."""
        if self.kind == "prompt":
            return "" if any(self.folder.iterdir()) else "fit wrote no file to job.out"
        return "" if self.list_tensor_files() else f"fit wrote no {TENSOR_SUFFIX} file to job.out"


def write_base_precision(folder: Path, precision: str, compute: str) -> None:
    """Write beside an adapter in which precision its base is judged and served, and of a 4-bit one how it is made."""
    served: dict[str, Any] = {"precision": precision}
    if precision == NF4:
        served["quantization_config"] = {
            "load_in_4bit": True, "bnb_4bit_quant_type": NF4, "bnb_4bit_use_double_quant": True,
            "bnb_4bit_compute_dtype": compute,
        }
    (folder / PRECISION_FILE).write_text(json.dumps(served, sort_keys=True, indent=2) + "\n")


def read_base_precision(folder: Path | None) -> dict[str, Any]:
    """Return what `write_base_precision` wrote beside an adapter; {} for a base in any precision."""
    file = None if folder is None else folder / PRECISION_FILE
    return dict(json.loads(file.read_text())) if file is not None and file.is_file() else {}


def build_load_settings(served: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of transformers' `from_pretrained` that load a base as it is served."""
    import torch
    from transformers import BitsAndBytesConfig

    if served["precision"] != NF4:
        return {"dtype": torch.bfloat16}
    require_bitsandbytes()
    settings = served["quantization_config"]
    dtype = getattr(torch, settings["bnb_4bit_compute_dtype"])
    return {"dtype": dtype, "quantization_config": BitsAndBytesConfig(**settings)}


def require_bitsandbytes() -> None:
    """Raise ImportError with the command to install it, unless the package for 4-bit weights is installed."""
    from importlib.util import find_spec

    if find_spec(QUANTISER) is None:
        raise ImportError(f"4-bit weights need {QUANTISER}: pip install '{QLORA_EXTRA}'")


def get_artifact_loader(loader: str, kind: ArtifactKind) -> str:
    """Return the class that loads a bundle, as `module:Class`: of a whole model, that of transformers for PEFT's."""
    return loader.replace("peft:AutoPeftModel", "transformers:AutoModel") if kind == "weights" else loader


def count_adapted_modules(model: Any) -> int:
    """Return how many layers of a model that a public library loaded have a low-rank adapter of PEFT."""
    return sum(1 for module in model.modules() if hasattr(module, "lora_A"))
