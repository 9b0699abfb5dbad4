"""Chat requests and responses, the teacher protocol, and OpenAI-compatible endpoints."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from factory.api.rows import Message
from factory.api.spec_block import Runtime, SpecBlock

if TYPE_CHECKING:
    from factory.api.jobs import Reporter

DEFAULT_PORTS = {"http": 80, "https": 443}


def get_hub_hosts() -> tuple[str, ...]:
    """Return the hosts of the Hugging Face hub, or of the mirror named by `HF_ENDPOINT`."""
    mirror = urlsplit(os.environ.get("HF_ENDPOINT", "")).hostname
    return (mirror, f".{mirror}") if mirror else ("huggingface.co", ".huggingface.co", ".hf.co")


class Endpoint(SpecBlock):
    """A model behind an OpenAI-compatible endpoint. Requests leave this machine for this host only."""

    model: str = Field(min_length=1, description="model name at the endpoint")
    base_url: str = Field(
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$", description="the base URL of the API, such as http://localhost:8000/v1"
    )
    key_env: Annotated[str, Runtime] = Field(
        "", pattern=r"^([A-Za-z_]\w*)?$", description="environment variable that holds the API key, if any"
    )
    price_in: float = Field(0.0, ge=0, description="price of a million prompt tokens")
    price_out: float = Field(0.0, ge=0, description="price of a million completion tokens")
    extra_body: dict[str, Any] = Field({}, description="fields of the request to add or replace; null leaves one out")
    timeout: Annotated[float, Runtime] = Field(60.0, gt=0, description="timeout of a request in seconds")
    retries: Annotated[int, Runtime] = Field(4, ge=0, description="retries of a request after a transient failure")
    concurrency: Annotated[int, Runtime] = Field(4, ge=1, le=64, description="concurrent requests")
    requests_per_second: Annotated[float, Runtime] = Field(
        0.0, ge=0, description="maximum rate of requests; 0 for no limit"
    )
    reply_model: Annotated[str, Runtime] = Field(
        "", description="what the endpoint calls the model in its replies, if that is another name"
    )

    @field_validator("base_url")
    @classmethod
    def _validate_base_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise ValueError("contains credentials; put the key in an environment variable and name it in key_env")
        if not parts.hostname or (parts.port is not None and not parts.port):
            raise ValueError("has no host")
        return url

    @property
    def host(self) -> str:
        """`host:port`, as the network policy lists it."""
        parts = urlsplit(self.base_url)
        name = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
        return f"{name}:{parts.port or DEFAULT_PORTS[parts.scheme.lower()]}"

    def build_cache_identity(self) -> dict[str, Any]:
        """Return the fields that an answer depends on; prices, keys, timeouts and rates are not among them."""
        return {"model": self.model, "base_url": self.base_url, "extra_body": self.extra_body}

    def compute_cost(self, tokens_in: int, tokens_out: int) -> float:
        """Return the cost of a request in the currency of the prices."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request to a teacher or judge.

    With `schema`, an answer that does not validate is sent back once with its error. With `choices`, the answer is one
    of them. `sample_index` distinguishes independent samples of one request and seeds sampling above temperature 0.
    """

    messages: tuple[Message, ...]
    schema: type[BaseModel] | None = None
    choices: tuple[str, ...] = ()
    temperature: float = 0.0
    max_tokens: int = 512
    sample_index: int = 0

    def __post_init__(self) -> None:
        if self.schema is not None and self.choices:
            raise ValueError("a request takes a schema or choices, not both")
        if not self.messages:
            raise ValueError("a request needs at least one message")


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """The response to a request. `value` is the validated object if the request had a schema.

    `error` says why there is no valid answer; `text` may then be partial and `value` is None. `prompt_digest` is the
    digest of the request, for provenance. `cost` and `seconds` are those of the original call, also `from_cache`.
    """

    text: str
    value: Any = None
    error: str = ""
    model: str = ""
    prompt_digest: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    from_cache: bool = False
    cost: float = 0.0
    seconds: float = 0.0


class Teacher(Protocol):
    """A model that answers requests: `models.teacher` or `models.judge`, or an endpoint of a plugin's own."""

    @property
    def model(self) -> str:
        """The model's name, for provenance."""

    def ask(self, asks: Iterable[ChatRequest], report: Reporter | None = None) -> Iterator[ChatResponse]:
        """Yield one response for each request, in order; repeated requests are answered from the cache.

        Raises UnavailableError if the endpoint does not answer or the budget is spent; earlier answers stay cached.
        """
