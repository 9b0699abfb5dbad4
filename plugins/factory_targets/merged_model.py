"""One folder with the adapter merged into the base, for servers that take whole models only (TEI, infinity)."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory.api import ExportJob, Target

ADAPTER_FILES = frozenset({"adapter_config.json", "adapter_model.safetensors", "README.md"})


class MergedModelTarget(Target):
    """A whole model with the adapter merged in: larger, but any server loads it."""

    kind = "merged"

    def explain_refusal(self, manifest: Mapping[str, Any]) -> str:
        return ""

    def export(self, job: ExportJob) -> None:
        model = _merge_adapter(job)
        model.save_pretrained(job.out)
        for path in sorted(job.bundle.rglob("*")):
            relative = path.relative_to(job.bundle)
            if path.is_file() and relative.parts[0] not in ADAPTER_FILES | {"exports", "factory", "labels"}:
                target = job.out / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    shutil.copyfile(path, target)
        config = json.loads((job.out / "config.json").read_text())
        config.pop("_name_or_path", None)
        (job.out / "config.json").write_text(json.dumps(config, sort_keys=True, indent=2) + "\n")


def _merge_adapter(job: ExportJob) -> Any:
    """The base with the adapter folded into its weights. Raises ValueError when the adapter does not fit it whole."""
    import peft

    with warnings.catch_warnings():
        # peft only warns about keys that it did not find, and then serves the base.
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        tuned = peft.PeftModel.from_pretrained(_load_merge_base(job), str(job.bundle))
    applied = sum(isinstance(module, peft.tuners.lora.LoraLayer) for module in tuned.modules())
    if applied != job.manifest["modules"]:
        raise ValueError(f"the adapter fits {applied} layers of the base, not {job.manifest['modules']}")
    return tuned.merge_and_unload()


def _load_merge_base(job: ExportJob) -> Any:
    """The base in float32, as the class that the adapter's task asks for."""
    import torch
    import transformers

    kind = json.loads((job.bundle / "adapter_config.json").read_text()).get("task_type")
    options: dict[str, Any] = {"dtype": torch.float32}
    if kind == "CAUSAL_LM":
        auto = transformers.AutoModelForCausalLM
    elif kind == "SEQ_CLS" or job.manifest.get("heads"):
        auto = transformers.AutoModelForSequenceClassification
        if (job.bundle / "labels").is_dir():
            options["config"] = transformers.AutoConfig.from_pretrained(job.bundle / "labels")
        else:
            options["num_labels"] = _count_head_outputs(job.bundle)
    else:
        auto = transformers.AutoModel
    return auto.from_pretrained(job.base.folder, **options)


def _count_head_outputs(bundle: Path) -> int:
    """How many outputs the head has: the rows of its weight."""
    from safetensors import safe_open

    with safe_open(bundle / "adapter_model.safetensors", framework="np") as file:
        heads = [name for name in file.keys() if name.endswith((".classifier.weight", ".score.weight"))]  # noqa: SIM118
        heads += [name for name in file.keys() if name.endswith("out_proj.weight")]  # noqa: SIM118
        return int(file.get_slice(heads[0]).get_shape()[0]) if heads else 1
