"""Asking another model: what is asked, what comes back, and where a teacher is that is not on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from factory.api.plugin import Runtime
from factory.api.rows import Message
from factory.api.training_args import SpecBlock

if TYPE_CHECKING:
    from factory.api.jobs import Reporter

DEFAULT_PORTS = {"http": 80, "https": 443}


def get_hub_hosts() -> tuple[str, ...]:
    """The hosts of the model and data hub, for a source or a base that is fetched from it."""
    named = urlsplit(os.environ.get("HF_ENDPOINT", "")).hostname
    return (named, f".{named}") if named else ("huggingface.co", ".huggingface.co", ".hf.co")


class Endpoint(SpecBlock):
    """A model behind an OpenAI-compatible endpoint. What is asked leaves this machine for it, and for nowhere else."""

    model: str = Field(min_length=1, description="the model's name at the endpoint")
    base_url: str = Field(
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$", description="the endpoint, such as http://localhost:8000/v1"
    )
    key_env: Annotated[str, Runtime] = Field(
        "", pattern=r"^([A-Za-z_]\w*)?$", description="name of the environment variable that holds the key, if any"
    )
    price_in: float = Field(0.0, ge=0, description="price of a million tokens of prompt")
    price_out: float = Field(0.0, ge=0, description="price of a million tokens of answer")
    body: dict[str, Any] = Field({}, description="fields of the request to add or replace; null leaves one out")
    timeout: Annotated[float, Runtime] = Field(60.0, gt=0, description="seconds for one request")
    retries: Annotated[int, Runtime] = Field(4, ge=0, description="further tries of a request that failed in passing")
    concurrency: Annotated[int, Runtime] = Field(4, ge=1, le=64, description="requests at the same time")
    rate: Annotated[float, Runtime] = Field(0.0, ge=0, description="requests a second, at most; 0 for no limit")

    @field_validator("base_url")
    @classmethod
    def _validate_base_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise ValueError("holds a user or a key; name the variable of the environment that holds it in key_env")
        if not parts.hostname or (parts.port is not None and not parts.port):
            raise ValueError("names no host")
        return url

    @property
    def host(self) -> str:
        """`host:port`, as the perimeter names it."""
        parts = urlsplit(self.base_url)
        name = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
        return f"{name}:{parts.port or DEFAULT_PORTS[parts.scheme.lower()]}"

    def build_cache_identity(self) -> dict[str, Any]:
        """What an answer depends on. Prices, keys, and how patiently one asks are no part of it."""
        return {"model": self.model, "base_url": self.base_url, "body": self.body}

    def compute_cost(self, tokens_in: int, tokens_out: int) -> float:
        """What so many tokens cost, in the currency of the prices."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request to a teacher or judge.

    With a `schema` the answer must validate against it; one that does not is shown its fault and asked once more.
    With `choices` the answer is one of these. `draw` tells independent draws of the same request apart, and seeds
    sampling where the temperature is above 0.
    """

    messages: tuple[Message, ...]
    schema: type[BaseModel] | None = None
    choices: tuple[str, ...] = ()
    temperature: float = 0.0
    max_tokens: int = 512
    sample_index: int = 0

    def __post_init__(self) -> None:
        if self.schema is not None and self.choices:
            raise ValueError("an answer follows a schema or is one of some choices, not both")
        if not self.messages:
            raise ValueError("a request needs a message")


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """What came back. `value` is the validated object when a schema was given.

    `failed` says why there is no valid answer; the text may then be partial, and `value` is None. `prompt` is the
    digest of the request, for provenance. `cost` and `seconds` are of the answer when it was paid for, `cached` or not.
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
        """Yield one reply for each request, in their order; what was asked before comes from the cache.

        Raises UnavailableError when the endpoint does not answer or the budget is spent. What was answered stays.
        """
