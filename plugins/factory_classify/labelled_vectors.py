"""Rows as a baseline learns from them: vectors, and the label or labels of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LabelledVectors:
    """Embeddings or scores (rows, width), and what is right: label indices (rows,), or members (rows, labels)."""

    vectors: Any
    targets: Any

    def join(self, other: LabelledVectors) -> LabelledVectors:
        """Return these and other rows."""
        import numpy as np

        return LabelledVectors(
            np.concatenate([self.vectors, other.vectors]), np.concatenate([self.targets, other.targets])
        )
