"""A kit that remembers embeddings within a stage, which asks for the same texts several times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.api import Base, Kit, Reporter


class MemoisingKit:
    """A kit that embeds each text once."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._vectors: dict[tuple[str, str], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kit, name)

    def embed(self, base: Base, texts: Sequence[str], report: Reporter | None = None) -> Any:
        """Return the embeddings of the texts: (len(texts), hidden)."""
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if (base.digest, text) not in self._vectors]
        if new:
            vectors = self._kit.embed(base, new, report)
            self._vectors.update(zip([(base.digest, text) for text in new], vectors, strict=True))
        return np.stack([self._vectors[base.digest, text] for text in texts])
