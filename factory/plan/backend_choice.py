"""The backend of stages in which the student answers."""

from __future__ import annotations

from typing import Any

from factory.spec.layers import ResolvedSpec


def build_backend_choice(resolved: ResolvedSpec) -> dict[str, Any]:
    """Return the backend as a part of a stage, only if the spec chooses one: the default adds nothing to a key."""
    backend = resolved.spec.train.backend
    return {} if backend == "auto" else {"backend": backend}
