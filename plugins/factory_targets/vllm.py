"""vLLM serves the base with this adapter, and others; what it cannot serve is refused before a build."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from factory.api import ExportJob, Target

SERVABLE_HEADS = frozenset({"score", "classifier"})
ARCHITECTURES_WITHOUT_LORA = ("Bert", "DistilBert", "Roberta", "XLMRoberta", "MPNet", "Electra")
"""Encoder architectures, by prefix, whose vLLM classes take no LoRA; decoders and ModernBERT do."""


class VllmTarget(Target):
    """vLLM with `--enable-lora`: writes the command that serves the bundle."""

    kind = "vllm"

    max_lora_rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] = Field(
        16, description="--max-lora-rank of the server; a higher rank takes more memory"
    )
    port: int = Field(8000, ge=1, le=65535, description="port of the server")

    def explain_refusal(self, manifest: Mapping[str, Any]) -> str:
        rank, heads = int(manifest.get("rank", 0)), set(manifest.get("heads", ())) - SERVABLE_HEADS
        architecture = str(manifest.get("architecture", ""))
        if (kind := manifest.get("artifact", "adapter")) != "adapter":
            return f"it serves adapters over a base, not {kind}; run `vllm serve` on the bundle itself"
        if manifest.get("serve_precision") == "nf4":
            return "it would serve the base in another precision than was judged; set adapter.serve_precision: bf16"
        if unknown := [name for name in ("dora", "trainable_tokens") if manifest.get(name)]:
            return f"vLLM does not load adapters with {unknown[0]}; remove adapter.{unknown[0]}"
        if rank > self.max_lora_rank:
            return f"rank {rank} exceeds max_lora_rank, which is {self.max_lora_rank}; raise it, or lower adapter.rank"
        if heads:
            return f"vLLM only loads new heads named score or classifier, not {', '.join(sorted(heads))}"
        if str(manifest.get("loader", "")).endswith(":MultiVectorEncoder"):
            return "vLLM does not support late interaction with an adapter; use the target `peft` or `merged`"
        if architecture.startswith(ARCHITECTURES_WITHOUT_LORA):
            return f"vLLM does not support LoRA on {architecture}; use the target `merged`"
        return ""

    def export(self, job: ExportJob) -> None:
        name, base = shlex.quote(str(job.manifest["name"])), shlex.quote(str(job.manifest["base"]["id"]))
        pooling = " --runner pooling" if job.manifest.get("heads") else ""
        (job.out / "serve.sh").write_text(
            "#!/bin/sh\n"
            "# Serves the base with this adapter. Requests select the adapter by its name, as the model.\n"
            'here=$(cd "$(dirname "$0")/../.." && pwd)\n'
            f"exec vllm serve {base} --port {self.port}{pooling} --enable-lora --max-lora-rank {self.max_lora_rank} "
            f'--lora-modules {name}="$here"\n'
        )
