"""The artifact: what training makes of a base, and what later stages load, judge and ship."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from factory.api.jobs import Base

ArtifactKind = Literal["adapter", "weights", "head", "prompt"]
"""`adapter`: PEFT's files, loaded over the base. `weights`: a whole model folder with its tokenizer, as
`save_pretrained` writes them. `head` and `prompt`: files that only the objective itself reads."""
TENSOR_SUFFIX = ".safetensors"


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


def count_adapted_modules(model: Any) -> int:
    """Return how many layers of a model that a public library loaded have a low-rank adapter of PEFT."""
    return sum(1 for module in model.modules() if hasattr(module, "lora_A"))
