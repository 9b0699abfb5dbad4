"""The values that stages and plugins exchange. All are frozen and have one JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from sys import intern
from typing import Any

from factory.api.artifact import ArtifactKind

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SUM_TOLERANCE = 0.01
"""Largest deviation of the sum of a label answer's probabilities from 1, due to rounding."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a row: its source and line, or the generator that made it and the parent rows."""

    source: str
    line: int = 0
    licence: str = ""
    generator: str = ""
    parents: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One example, or one entry of the side table `table` (a document of a corpus).

    Rows of one `group` are never separated by the split. `split` is empty unless the source has its own split.
    """

    id: str
    columns: Mapping[str, Any]
    provenance: Provenance
    group: str = ""
    split: str = ""
    table: str = ""

    def __getitem__(self, column: str) -> Any:
        return self.columns[column]

    def with_columns(self, **columns: Any) -> Row:
        """Return the row with these columns added or replaced."""
        return replace(self, columns={**self.columns, **columns})

    def with_provenance_detail(self, **detail: Any) -> Row:
        """Return the row with these entries added to its provenance detail."""
        return replace(self, provenance=replace(self.provenance, detail={**self.provenance.detail, **detail}))

    @property
    def doubt(self) -> str:
        """Why the row is flagged for review; empty for most rows."""
        return str(self.provenance.detail.get("doubt", ""))

    def with_doubt(self, why: str) -> Row:
        """Return the row flagged for review, with one more reason."""
        before = self.doubt
        return self.with_provenance_detail(doubt=f"{before}; {why}" if before and why not in before else why)

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON; its columns are shared, not copied."""
        origin = self.provenance
        return {
            "id": self.id, "columns": self.columns, "group": self.group, "split": self.split, "table": self.table,
            "provenance": {
                "source": origin.source, "line": origin.line, "licence": origin.licence,
                "generator": origin.generator, "parents": origin.parents, "detail": origin.detail,
            },
        }

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> Row:
        """Read the row from JSON. Raises KeyError or TypeError if the value is not a row."""
        origin = dict(payload["provenance"])
        origin["parents"] = tuple(origin.get("parents", ()))
        # Interning stores the strings that many rows share (column names, source, split) once.
        origin["source"] = intern(origin["source"])
        columns = {intern(name): value for name, value in payload["columns"].items()}
        split = intern(payload.get("split", ""))
        return cls(**{**payload, "columns": columns, "split": split, "provenance": Provenance(**origin)})


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A contender's answer to one row, in the task's `output_type`.

    `ranking`: a score per candidate. `labels`: label → probability for every label. `text`: a string, which is
    `incomplete` if it ran into the token limit. `details` are further numbers for evals, such as the log-probability
    of an answer that the row gives.
    """

    id: str
    output: Any
    incomplete: bool = False
    details: Mapping[str, float] = field(default_factory=dict)


def find_distribution_problem(output: Any) -> str:
    """Return why a value of the output type `labels` is no distribution over labels; empty if it is one."""
    if not isinstance(output, Mapping) or not output:
        return "expected a mapping of label to probability"
    for label, value in output.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            return f"the probability of {label!r} is {value!r}, not a finite number"
        if value < 0:
            return f"the probability of {label!r} is negative: {value:g}"
    total = sum(output.values())
    return f"the label probabilities sum to {total:.3f}, not 1" if abs(total - 1) > SUM_TOLERANCE else ""


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one answer: metric → value for one row."""

    id: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The scores (0 to 1) of the base and the tuned model on one question unrelated to the task."""

    id: str
    suite: str
    base: float
    tuned: float


@dataclass(frozen=True, slots=True)
class Decision:
    """A curator's decision on one row, with the reason and, for a duplicate, the id of the row it repeats (`twin`).

    `row` is the changed row, of the same id, if the curator keeps it but changes or flags it.
    """

    id: str
    kept: bool
    why: str = ""
    twin: str = ""
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A preflight finding on one row: the name of the check and a description."""

    check: str
    row: str
    text: str


@dataclass(frozen=True, slots=True)
class Metric:
    """The description of a metric. A `binary` one has only the values 0 and 1, so that McNemar's test applies."""

    name: str
    what: str
    higher_is_better: bool = True
    binary: bool = False


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The result of training. `modules` counts the layers with an adapter, `artifact` is the kind of what was written,
    and `facts` go into the manifest. With `trained_on_validation`, validation rows no longer tell models apart."""

    steps: int
    modules: int
    trainable: int
    parameters: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    artifact: ArtifactKind = "adapter"
    trained_on_validation: bool = False


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token and the natural logarithm of its probability after the prompt and the tokens before it."""

    token_id: int
    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """The tokens of a text as the answer to a row, its end of turn included, each with a model's log-probability.

    The log-probabilities are those of the model alone, without a decoding constraint.
    """

    id: str
    tokens: tuple[TokenLogprob, ...]

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> ScoredAnswer:
        """Read the JSON form, that of `dataclasses.asdict`."""
        return cls(payload["id"], tuple(TokenLogprob(**token) for token in payload["tokens"]))


@dataclass(frozen=True, slots=True)
class ReferenceAnswers:
    """What a bundle loaded by a public library answers, and the number of layers that had the adapter there.

    Numbers and labels are in `answers`. Of generated texts, in which a rounding changes all that follows, there are
    instead the judged model's answers as the library scores them (`scored`), and the first tokens that the library
    decodes greedily itself (`greedy`; empty for the untuned base).
    """

    answers: tuple[Answer, ...]
    modules: int
    library: str
    scored: tuple[ScoredAnswer, ...] = ()
    greedy: tuple[ScoredAnswer, ...] = ()
