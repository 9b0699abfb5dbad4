"""One folder with the adapter merged into the base, for servers that only load whole models (TEI, infinity)."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory.api import ExportJob, Target

EXCLUDED_PATHS = frozenset({"README.md", "exports", "factory"})
"""Files and folders of a bundle that only concern its adapter, besides PEFT's own."""
ADAPTER_PREFIX = "adapter_"
"""Prefix of the names of PEFT's files."""


class MergedModelTarget(Target):
    """A whole model with the adapter merged in: larger, but any server loads it."""

    kind = "merged"

    def explain_refusal(self, manifest: Mapping[str, Any]) -> str:
        kind = manifest.get("artifact", "adapter")
        if manifest.get("serve_precision") == "nf4":
            return "merged into 4-bit layers, the update would be rounded to 4 bits too; set serve_precision: bf16"
        if manifest.get("trainable_tokens"):
            return "the words of adapter.trainable_tokens cannot be merged; use the target `peft`"
        return "" if kind == "adapter" else f"only an adapter can be merged, not {kind}; the bundle itself loads"

    def export(self, job: ExportJob) -> None:
        _merge_adapter(job).save_pretrained(job.out)
        for path in sorted(job.bundle.rglob("*")):
            relative = path.relative_to(job.bundle)
            target = job.out / relative
            if path.is_file() and not _is_adapter_file(relative) and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        config = json.loads((job.out / "config.json").read_text())
        config.pop("_name_or_path", None)
        (job.out / "config.json").write_text(json.dumps(config, sort_keys=True, indent=2) + "\n")


def _is_adapter_file(path: Path) -> bool:
    """Return whether a file, by its path in the bundle, only concerns the adapter."""
    return path.parts[0] in EXCLUDED_PATHS or path.name.startswith(ADAPTER_PREFIX)


def _merge_adapter(job: ExportJob) -> Any:
    """Return the base with the adapter merged into its weights. Raises ValueError if the adapter does not fit."""
    import peft

    with warnings.catch_warnings():
        # peft only warns about keys that it did not find, and then serves the base.
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        tuned = peft.PeftModel.from_pretrained(_load_merge_base(job), str(job.bundle))
    applied = sum(isinstance(module, peft.tuners.lora.LoraLayer) for module in tuned.modules())
    if applied != job.manifest["modules"]:
        raise ValueError(f"the adapter fits {applied} layers of the base, expected {job.manifest['modules']}")
    return tuned.merge_and_unload()


def _load_merge_base(job: ExportJob) -> Any:
    """Load the base in float32, as the class of the adapter's task."""
    import torch
    import transformers

    task_type = json.loads((job.bundle / "adapter_config.json").read_text()).get("task_type")
    options: dict[str, Any] = {"dtype": torch.float32}
    auto_class = transformers.AutoModel
    if task_type == "CAUSAL_LM":
        auto_class = transformers.AutoModelForCausalLM
    elif task_type == "SEQ_CLS":
        auto_class = transformers.AutoModelForSequenceClassification
        options["num_labels"] = _count_head_outputs(job.bundle)
    return auto_class.from_pretrained(job.base.folder, **options)


def _count_head_outputs(bundle: Path) -> int:
    """Return the number of outputs of the head: the rows of its weight matrix."""
    from safetensors import safe_open

    (weights,) = bundle.glob(f"{ADAPTER_PREFIX}*.safetensors")
    with safe_open(weights, framework="np") as file:
        names = list(file.keys())  # the file itself is not iterable
        heads = [name for name in names if name.endswith((".classifier.weight", ".score.weight"))]
        heads += [name for name in names if name.endswith("out_proj.weight")]
        return int(file.get_slice(heads[0]).get_shape()[0]) if heads else 1
