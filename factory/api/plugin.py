"""The class that every plugin is: its own config, frozen and closed, its fields being the spec's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from factory import identity

CONTRACT = 1


class Runtime:
    """Marks a field that does not change the output (workers, inference batch size, device): it stays out of keys."""


class Input:
    """Marks a path, relative to the spec's folder: a key holds the digest of its content, never its name."""


class Plugin(BaseModel):
    """A kind that a spec can name. Subclass one of the roles, not this."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    role: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    contract: ClassVar[int] = CONTRACT
    local_digest: ClassVar[str] = ""
    """The digest of the project-local folder that the class was loaded from; the registry sets it."""

    def compute_fingerprint(self) -> Any:
        """What else the output depends on, as JSON: say, the version of a package the data comes from."""
        return None

    def get_required_models(self) -> tuple[str, ...]:
        """Which further models of the spec it needs, by their field in `models`, such as `embedder`."""
        return ()

    def list_hosts(self) -> tuple[str, ...]:
        """The hosts it may speak to, as `host:port`, `host`, or `.suffix`: those of its endpoints. No other answers."""
        return tuple(sorted(set(_iter_endpoint_hosts(self))))

    def compute_identity(self, root: Path) -> dict[str, Any]:
        """What this block adds to a key. Raises FileNotFoundError when an `Input` is not there."""
        return {
            "kind": self.kind,
            "version": self.version,
            "fields": compute_fields_identity(self, root),
            "fingerprint": self.compute_fingerprint(),
            **({"origin": self.local_digest} if self.local_digest else {}),
        }

    def to_block(self) -> dict[str, Any]:
        """The JSON form that makes this plugin again."""
        return {"kind": self.kind, **self.model_dump(mode="json")}


def _iter_endpoint_hosts(value: Any) -> Iterator[str]:
    """The hosts of every endpoint in a value, however deep."""
    from factory.api.llm import Endpoint

    if isinstance(value, Endpoint):
        yield value.host
    elif isinstance(value, (BaseModel, Mapping, list, tuple)):
        inner = dict(value).values() if isinstance(value, (BaseModel, Mapping)) else value
        for item in inner:
            yield from _iter_endpoint_hosts(item)


def has_marker(model: type[BaseModel], name: str, marker: type) -> bool:
    """Whether a field carries a marker such as `Runtime` or `Input`."""
    return any(m is marker or isinstance(m, marker) for m in model.model_fields[name].metadata)


def compute_fields_identity(model: BaseModel, root: Path) -> dict[str, Any]:
    """The fields of a model that change the output: runtime fields left out, inputs by content."""
    dumped = model.model_dump(mode="json")
    kind = type(model)
    kept = {name: value for name, value in dumped.items() if not has_marker(kind, name, Runtime)}
    for name, value in kept.items():
        child = getattr(model, name)
        if value is not None and has_marker(kind, name, Input):
            kept[name] = identity.digest_path(root / value)
        elif isinstance(child, BaseModel):
            kept[name] = compute_fields_identity(child, root)
    return kept
