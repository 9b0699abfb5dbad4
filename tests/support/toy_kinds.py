"""A small task with one or two kinds for every role, registered exactly as installed plugins are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import (
    Contender,
    Curator,
    Eval,
    Input,
    Metric,
    Objective,
    Source,
    SpecBlock,
    Synthesizer,
    Target,
    Task,
)
from factory.registry.registry import Registry


class Sorting(Task):
    """Put phrases in order."""

    kind = "sorting"
    columns = ("phrase", "order")
    added_columns = ("length",)
    tables = ("words",)
    output_type = "order"
    text_column = "phrase"
    pool: int = Field(10, ge=1, description="how many words are considered")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return {
            "objective": {"kind": "pairwise", "margin": 0.5},
            "contenders": ["tuned", "untuned", "alphabet"],
            "evaluate": ["ordering"],
            "data": {"split": {"test": 50}},
            "adapter": {"rank": 8},
        }

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return {"smoke": {"train": {"epochs": 0.5}, "data": {"limit": 20}}}


class Names(SpecBlock):
    """How a file calls its fields."""

    phrase: str = "phrase"
    order: str = "order"


class Lines(Source):
    """Phrases from a file."""

    kind = "lines"
    output_columns = ("phrase", "order")
    tables = ("words",)
    file: Annotated[Path, Input] = Field(description="JSONL of phrases")
    fields: Names = Field(Names(), description="how the file calls its fields")
    letters: list[str] = Field([], description="first letters that are kept")


class Words(Source):
    """Phrases that are built in."""

    kind = "words"
    output_columns = ("phrase",)
    letters: list[str] = Field([], description="first letters that are kept")


class Shuffle(Synthesizer):
    """Wrong orders, to learn from."""

    kind = "shuffle"
    columns = ("order",)
    output_columns = ("wrong",)
    per_row: int = Field(2, ge=1, le=9, description="wrong orders for each row")


class Short(Curator):
    """Drop short phrases."""

    kind = "short"
    columns = ("length",)
    at_least: int | float = Field(3, description="characters")


class Pairwise(Objective):
    """Learn from pairs."""

    kind = "pairwise"
    output_type = "order"
    loader_class = "sorters:Sorter"
    margin: float = Field(1.0, gt=0, description="of the hinge")
    distance: Literal["cosine", "dot"] = Field("cosine", description="of two phrases")


class Contrast(Objective):
    """Learn from wrong orders."""

    kind = "contrast"
    output_type = "order"
    columns = ("wrong",)
    modules_to_save = ("scorer",)


class Labels(Objective):
    """Learn labels: another task's."""

    kind = "labels"
    output_type = "label"


class Tuned(Contender):
    """The adapter."""

    kind = "tuned"
    uses_artifact = True


class Untuned(Contender):
    """The base alone."""

    kind = "untuned"


class Alphabet(Contender):
    """No model at all."""

    kind = "alphabet"
    output_type = "order"
    reverse: bool = Field(False, description="from the end")


class Ordering(Eval):
    """How well phrases are ordered."""

    kind = "ordering"
    columns = ("order",)
    output_type = "order"
    metrics = (Metric("tau", "rank correlation"), Metric("exact", "all right", binary=True))
    primary_metric = "tau"


class Classes(Eval):
    """How many labels are right: another task's."""

    kind = "classes"
    output_type = "label"
    metrics = (Metric("f1", "macro F1"),)
    primary_metric = "f1"


class Shelf(Target):
    """Takes anything without heads."""

    kind = "shelf"

    def explain_refusal(self, manifest: Mapping[str, Any]) -> str:
        return f"can not serve the head {manifest['heads'][0]!r}; use another objective" if manifest["heads"] else ""


REGISTRY = Registry.from_classes([
    Sorting, Lines, Words, Shuffle, Short, Pairwise, Contrast, Labels, Tuned, Untuned, Alphabet,
    Ordering, Classes, Shelf,
])

SPEC = """\
apiVersion: factory/v1
name: sorter
task: sorting
models:
  student: wheel:tiny==1.0
data:
  sources:
    - kind: lines
      file: phrases.jsonl
"""
