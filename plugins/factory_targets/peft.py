"""The bundle as it is: peft and sentence-transformers load the folder without a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.api import Target


class PeftTarget(Target):
    """A PEFT folder, which peft and sentence-transformers load as it is."""

    kind = "peft"

    def explain_refusal(self, manifest: Mapping[str, Any]) -> str:
        kind = manifest.get("artifact", "adapter")
        return "" if kind == "adapter" else f"peft loads adapters, not {kind}; the bundle itself loads"
