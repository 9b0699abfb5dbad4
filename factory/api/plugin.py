"""The base class of plugins: a frozen pydantic model whose fields are the fields of its block in the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from factory.api.llm import Endpoint
from factory.api.spec_block import compute_fields_identity

CONTRACT = 2
"""Version of the plugin API; a plugin class written for another version is refused at discovery."""


class Plugin(BaseModel):
    """A kind that a spec can name. Subclass one of the roles instead of this class."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    role: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    contract: ClassVar[int] = CONTRACT
    local_digest: ClassVar[str] = ""
    """Digest of the project-local folder that the class was loaded from; set by the registry."""

    @classmethod
    def get_variant(cls, fields: Mapping[str, Any]) -> type[Plugin]:
        """Return the class for a block with these fields, as the spec has them: this class, or a subclass of the same
        kind with other class attributes, such as another output type or other defaults."""
        return cls

    def compute_fingerprint(self) -> Any:
        """Return a JSON value that the output also depends on, such as the version of a data package."""
        return None

    def get_required_models(self) -> tuple[str, ...]:
        """Return the fields of the spec's `models` that the plugin needs besides the student, such as `embedder`."""
        return ()

    def list_required_modules(self) -> Mapping[str, str]:
        """Return the Python modules that the plugin imports beyond the factory's own dependencies, and what to install
        for each: {"spacy": "specialist-factory[pii]"}. `factory check` reports those that are missing."""
        has_endpoint = next(_iter_endpoint_hosts(self), "")
        return {"openai": "specialist-factory[endpoint]"} if has_endpoint else {}

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
    if isinstance(value, Endpoint):
        yield value.host
    elif isinstance(value, (BaseModel, Mapping, list, tuple)):
        inner = dict(value).values() if isinstance(value, (BaseModel, Mapping)) else value
        for item in inner:
            yield from _iter_endpoint_hosts(item)
