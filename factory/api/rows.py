"""The values that stages and plugins hand to each other. All are frozen, and all have one JSON form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from sys import intern
from typing import Any

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a row comes from: the source and its line, or the generator that made it and from which rows."""

    source: str
    line: int = 0
    licence: str = ""
    generator: str = ""
    parents: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One example, or one entry of a side table (a document of a corpus) when `table` names it.

    Rows of one `group` never stand on both sides of a split. `split` is empty unless the source brought its own.
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
        """The same row with these columns added or replaced."""
        return replace(self, columns={**self.columns, **columns})

    def with_provenance_detail(self, **detail: Any) -> Row:
        """The same row with these facts added to what its provenance tells."""
        return replace(self, provenance=replace(self.provenance, detail={**self.provenance.detail, **detail}))

    @property
    def doubt(self) -> str:
        """Why a person should look at it; empty for most rows."""
        return str(self.provenance.detail.get("doubt", ""))

    def with_doubt(self, why: str) -> Row:
        """The same row with one more reason why a person should look at it."""
        before = self.doubt
        return self.with_provenance_detail(doubt=f"{before}; {why}" if before and why not in before else why)

    def to_json(self) -> dict[str, Any]:
        """The row as JSON; its columns are shared, not copied."""
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
        """The row of a JSON value. Raises KeyError or TypeError when it is none.

        What many rows have in common (names of columns, source, split) is held once.
        """
        origin = dict(payload["provenance"])
        origin["parents"] = tuple(origin.get("parents", ()))
        origin["source"] = intern(origin["source"])
        columns = {intern(name): value for name, value in payload["columns"].items()}
        split = intern(payload.get("split", ""))
        return cls(**{**payload, "columns": columns, "split": split, "provenance": Provenance(**origin)})


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; `role` is system, user or assistant."""

    role: str
    content: str


Guide = Callable[[str, bool], bool]
"""Constrained decoding: (text so far, whether it ends here) → whether an answer may begin, or end, so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a contender says to one row. The output's form is the task's `answers`.

    `ranking`: a score for each candidate. `labels`: label → probability, of every label. `text`: the text.
    """

    id: str
    output: Any


@dataclass(frozen=True, slots=True)
class Scores:
    """What one answer is worth: metric → value, for one row."""

    id: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One question to the base and to the tuned model that has nothing to do with the task: what each got, 0 to 1."""

    id: str
    suite: str
    base: float
    tuned: float


@dataclass(frozen=True, slots=True)
class Decision:
    """A curator's word on one row, with the reason and, for a duplicate, the row it repeats.

    `row` is the row as it goes on, of the same id, when the curator keeps it but changes it.
    """

    id: str
    kept: bool
    why: str = ""
    twin: str = ""
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something preflight saw in one row: the name of the check and the fact, in words."""

    check: str
    row: str
    text: str


@dataclass(frozen=True, slots=True)
class Metric:
    """What a number means. The values of a `binary` metric are 0 or 1, so that McNemar applies."""

    name: str
    what: str
    higher_is_better: bool = True
    binary: bool = False


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a fit did. `modules` counts the layers that carry an adapter; `facts` go into the manifest."""

    steps: int
    modules: int
    trainable: int
    parameters: int
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReferenceAnswers:
    """What a bundle answered through a plain library, and how many of its layers carried the adapter there."""

    answers: tuple[Answer, ...]
    modules: int
    library: str
