"""A guide lets pass every beginning of an answer of its schema, and nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from factory.llm.schema_regex import compile_schema_guide


class Kind(StrEnum):
    """Two words, one with a sign that expressions know."""

    PLAIN = "plain"
    ODD = "a+b|c"


class Part(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=8)]
    score: float


class Whole(BaseModel):
    kind: Kind
    flag: bool
    count: int | None
    parts: Annotated[list[Part], Field(min_length=1, max_length=2)]
    tags: list[Literal["x", "y"]]


class Tree(BaseModel):
    leaves: list[Tree]


class Open(BaseModel):
    fields: dict[str, int]


GOOD = [
    '{"kind":"plain","flag":true,"count":-3,"parts":[{"name":"é \\"q\\"","score":0.5}],"tags":[]}',
    '{ "kind": "a+b|c", "flag": false, "count": null, "parts": [{"name": "n", "score": 1e-3}, '
    '{"name": "m", "score": 2}], "tags": ["x", "y", "x"] }',
]


@pytest.mark.parametrize("text", GOOD)
def test_every_beginning_of_a_valid_answer_passes_and_it_ends_where_it_is_whole(text: str) -> None:
    may = compile_schema_guide(Whole)
    assert may is not None and Whole.model_validate_json(text)
    assert all(may(text[:end], False) for end in range(len(text) + 1))
    assert [end for end in range(len(text) + 1) if may(text[:end], True)] == [len(text)]


@pytest.mark.parametrize(
    "text",
    [
        '{"flag"', '{"kind":"odd', '{"kind":"plain","flag":1', '{"kind":"plain","flag":true,"count":03',
        GOOD[0].replace('"é \\"q\\""', '""'), GOOD[0].replace("é", "nine signs"), GOOD[0].replace("é", "\n"),
        GOOD[0].replace("[]", '["z'), GOOD[0] + "}", "Sure: {", GOOD[0].replace('[{"name"', "[]"),
    ],
)
def test_what_no_valid_answer_begins_with_is_stopped(text: str) -> None:
    may = compile_schema_guide(Whole)
    assert may is not None and not may(text, False)


@pytest.mark.parametrize("model", [Tree, Open])
def test_a_schema_that_is_no_regular_language_is_only_checked_afterwards(model: Any) -> None:
    assert compile_schema_guide(model) is None
