"""The base class of plugins: a frozen pydantic model whose fields are the fields of its block in the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from factory import identity

CONTRACT = 2
"""Version of the plugin API; a plugin class written for another version is refused at discovery."""


class Runtime:
    """Marks a field that does not change the output (workers, inference batch size, device): keys ignore it."""


class Input:
    """Marks a path relative to the spec's folder: keys hold the digest of its content, never its name."""


class Plugin(BaseModel):
    """A kind that a spec can name. Subclass one of the roles instead of this class."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    role: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    contract: ClassVar[int] = CONTRACT
    local_digest: ClassVar[str] = ""
    """Digest of the project-local folder that the class was loaded from; set by the registry."""

    def compute_fingerprint(self) -> Any:
        """Return a JSON value that the output also depends on, such as the version of a data package."""
        return None

    def get_required_models(self) -> tuple[str, ...]:
        """Return the fields of the spec's `models` that the plugin needs besides the student, such as `embedder`."""
        return ()

    def list_hosts(self) -> tuple[str, ...]:
        """Return the hosts that the plugin may connect to, as `host:port`, `host` or `.suffix`; others are blocked."""
        return tuple(sorted(set(_iter_endpoint_hosts(self))))

    def compute_identity(self, root: Path) -> dict[str, Any]:
        """Return what this block contributes to a key. Raises FileNotFoundError if an `Input` does not exist."""
        return {
            "kind": self.kind,
            "version": self.version,
            "fields": compute_fields_identity(self, root),
            "fingerprint": self.compute_fingerprint(),
            **({"origin": self.local_digest} if self.local_digest else {}),
        }

    def to_block(self) -> dict[str, Any]:
        """Return the block of a spec that creates this plugin again."""
        return {"kind": self.kind, **self.model_dump(mode="json")}


def _iter_endpoint_hosts(value: Any) -> Iterator[str]:
    """Yield the host of every endpoint in a value, at any depth."""
    from factory.api.llm import Endpoint

    if isinstance(value, Endpoint):
        yield value.host
    elif isinstance(value, (BaseModel, Mapping, list, tuple)):
        inner = dict(value).values() if isinstance(value, (BaseModel, Mapping)) else value
        for item in inner:
            yield from _iter_endpoint_hosts(item)


def has_marker(model: type[BaseModel], name: str, marker: type) -> bool:
    """Return whether a field is annotated with a marker such as `Runtime` or `Input` (the class or an instance)."""
    return any(m is marker or isinstance(m, marker) for m in model.model_fields[name].metadata)


def compute_fields_identity(model: BaseModel, root: Path) -> dict[str, Any]:
    """Return the fields of a model that change its output: without runtime fields, inputs as content digests."""
    kind = type(model)
    fields = {n: value for n, value in model.model_dump(mode="json").items() if not has_marker(kind, n, Runtime)}
    for name, value in fields.items():
        child = getattr(model, name)
        if value is not None and has_marker(kind, name, Input):
            fields[name] = identity.digest_path(root / value)
        elif isinstance(child, BaseModel):
            fields[name] = compute_fields_identity(child, root)
    return fields
