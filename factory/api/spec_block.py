"""Blocks of a spec: the base class of their models, the markers of their fields, and what of them enters a key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from factory import identity

Fraction = Annotated[float, Field(ge=0, le=1)]


class Runtime:
    """Marks a field that does not change the output (workers, inference batch size, device): keys ignore it."""


class Input:
    """Marks a path relative to the spec's folder: keys hold the digest of its content, never its name."""


class UnkeyedDefault:
    """Marks a field whose default adds nothing to a key: what was built before the field existed stays valid."""


class SpecBlock(BaseModel):
    """A block of the spec: frozen, unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def has_marker(model: type[BaseModel], name: str, marker: type) -> bool:
    """Return whether a field is annotated with a marker such as `Runtime` or `Input` (the class or an instance)."""
    return any(m is marker or isinstance(m, marker) for m in model.model_fields[name].metadata)


def compute_fields_identity(model: BaseModel, root: Path) -> dict[str, Any]:
    """Return the fields of a model that change its output: without runtime fields, inputs as content digests."""
    kind = type(model)
    fields = {n: value for n, value in model.model_dump(mode="json").items() if not has_marker(kind, n, Runtime)}
    for name, value in list(fields.items()):
        child = getattr(model, name)
        if has_marker(kind, name, UnkeyedDefault) and child == kind.model_fields[name].default:
            del fields[name]
        elif value is not None and has_marker(kind, name, Input):
            fields[name] = identity.digest_path(root / value)
        elif isinstance(child, BaseModel):
            fields[name] = compute_fields_identity(child, root)
    return fields
