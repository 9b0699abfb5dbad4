"""The grammar of a schema lets pass every beginning of its answers, and nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from factory.llm.local import build_schema_grammar


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
    '{"kind": "plain", "flag": true, "count": -3, "parts": [{"name": "é \\"q\\"", "score": 0.5}], "tags": []}',
    '{"kind": "a+b|c", "flag": false, "count": null, "parts": [{"name": "n", "score": 1e-3}, '
    '{"name": "m", "score": 2}], "tags": ["x", "y", "x"]}',
]


@pytest.mark.parametrize("text", GOOD)
def test_every_beginning_of_a_valid_answer_passes_and_it_ends_where_it_is_whole(text: str) -> None:
    grammar = build_schema_grammar(Whole)
    assert grammar is not None and Whole.model_validate_json(text)
    assert all(grammar.accepts_prefix(text[:end]) for end in range(len(text) + 1))
    assert [end for end in range(len(text) + 1) if grammar.accepts(text[:end])] == [len(text)]


@pytest.mark.parametrize(
    "text",
    [
        '{"flag"', '{"kind": "odd', '{"kind": "plain", "flag": 1', '{"kind": "plain", "flag": true, "count": 03',
        '{"kind":"', '{ ', '{"kind": "plain" ',
        GOOD[0].replace('"é \\"q\\""', '""'), GOOD[0].replace("é", "nine signs"), GOOD[0].replace("é", "\n"),
        GOOD[0].replace("[]", '["z'), GOOD[0] + "}", "Sure: {", GOOD[0].replace('[{"name"', "[]"),
    ],
)
def test_what_no_valid_answer_begins_with_is_stopped(text: str) -> None:
    grammar = build_schema_grammar(Whole)
    assert grammar is not None and not grammar.accepts_prefix(text)


@pytest.mark.parametrize(("model", "good", "bad"), [
    (Tree, '{"leaves": [{"leaves": []}, {"leaves": [{"leaves": []}]}]}', '{"leaves": [{"leaves": ]}'),
    (Open, '{"fields": {"a": 1, "b c": -2}}', '{"fields": {"a": "'),
])
def test_a_schema_may_be_recursive_or_open(model: Any, good: str, bad: str) -> None:
    grammar = build_schema_grammar(model)
    assert grammar is not None and model.model_validate_json(good)
    assert grammar.accepts(good) and not grammar.accepts_prefix(bad)


class Ahead(BaseModel):
    word: Annotated[str, Field(json_schema_extra={"pattern": "^(?=a).*$"})]


def test_what_no_grammar_can_express_is_only_checked_afterwards() -> None:
    assert build_schema_grammar(Ahead) is None
