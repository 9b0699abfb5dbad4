"""Rows for a tool caller from the schemas of its tools: values, distractors, abstaining, masked names, rewording."""

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from synth_parts import Plain, asking, printed, run, scripted
from tiny_parts import Voice

from factory_synth.argument_values import draw_arguments, draw_schema_value
from factory_synth.tool_calls import ToolCalls
from factory_synth.tool_queries import is_value_in_text, phrase_tool_query
from factory_synth.tool_schemas import Tool, rank_similar_tools, read_tools

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Returns the current weather in a given city.",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}}}}}
FORECAST = {"name": "get_forecast", "description": "Get the weather forecast of a day.", "parameters": {
    "type": "object", "required": ["day"], "properties": {"day": {"type": "string", "format": "date"}}}}
TABLE = {"name": "book_table", "description": "Book a table at a restaurant.", "parameters": {
    "type": "object", "required": ["restaurant", "guests"], "properties": {
        "restaurant": {"type": "string", "examples": ["Fyr", "Kro"]}, "outdoor": {"type": "boolean"},
        "guests": {"type": "integer", "minimum": 2, "maximum": 9}}}}
PAY = {"name": "pay", "description": "Pays an invoice.", "parameters": {
    "type": "object", "required": ["amount"], "properties": {"amount": {"type": "number", "minimum": 1}}}}


class Calling(Plain):
    """A task whose text is the query."""

    kind = "calling"
    text_column = "query"
    columns = ("query", "tools", "answer")


def catalogue(folder: Path, *tools: Any) -> dict[str, Any]:
    (folder / "tools.json").write_text(json.dumps(tools or (WEATHER, FORECAST, TABLE, PAY)))
    return {"root": folder, "task": Calling()}


def made(folder: Path, *tools: Any, **fields: Any) -> list[Any]:
    where = catalogue(folder, *tools)
    return run(ToolCalls(tools="tools.json", **{"count": 40, **fields}), [], **where)


def test_a_call_says_every_value_and_its_tool_is_at_hand(tmp_path: Path) -> None:
    rows = made(tmp_path, abstain=0, mask=0)
    assert len(rows) == 40
    for row in rows:
        call = json.loads(row["answer"])
        at_hand = {one["name"]: one for one in map(json.loads, row["tools"].splitlines())}
        schema = at_hand[call["name"]]["parameters"]
        assert set(schema["required"]) <= set(call["arguments"]) <= set(schema["properties"])
        assert all(is_value_in_text(value, row["query"]) for value in call["arguments"].values())
        assert row.group == f"tools/{call['name']}" and row.provenance.source == "tools.json"
    assert Counter(json.loads(row["answer"])["name"] for row in rows).most_common()[-1][1] >= 8


def test_abstaining_rows_lack_the_tool_or_the_argument(tmp_path: Path) -> None:
    rows = made(tmp_path, abstain=0.5, mask=0)
    kinds = Counter(row.provenance.detail["case"] for row in rows)
    assert kinds == {"call": 20, "none": 10, "missing": 10}
    for row in rows:
        answer, tool = json.loads(row["answer"]), row.group.removeprefix("tools/")
        at_hand = [json.loads(line)["name"] for line in row["tools"].splitlines()]
        assert (tool in at_hand) == (row.provenance.detail["case"] != "none")
        if row.provenance.detail["case"] == "missing":
            assert answer["name"] is None and len(answer["missing"]) == 1


def test_masked_rows_have_names_without_meaning_that_agree(tmp_path: Path) -> None:
    rows = made(tmp_path, abstain=0, mask=1)
    for row in rows:
        call = json.loads(row["answer"])
        at_hand = {one["name"]: one["parameters"]["properties"] for one in map(json.loads, row["tools"].splitlines())}
        assert call["name"].startswith("tool_") and set(call["arguments"]) <= set(at_hand[call["name"]])
        assert not any(name in row["tools"] for name in ("get_weather", '"city"', "book_table", "guests"))
    assert len({json.loads(row["answer"])["name"] for row in rows}) > 30


def test_near_misses_stand_beside_a_tool_and_its_like_does_not(tmp_path: Path) -> None:
    like = {**TABLE, "name": "reserve_table"}
    tools = read_tools(_written(tmp_path, WEATHER, FORECAST, TABLE, PAY, like), "tools.json")
    assert rank_similar_tools(tools)["get_weather"][0][1] == "get_forecast"
    for row in made(tmp_path, WEATHER, FORECAST, TABLE, PAY, like, abstain=0, mask=0, tools_per_query=2):
        at_hand = [json.loads(line)["name"] for line in row["tools"].splitlines()]
        assert {"book_table", "reserve_table"} - set(at_hand)
        if "get_weather" in row.group:
            assert "get_forecast" in at_hand


def test_an_answer_may_be_the_name_alone(tmp_path: Path) -> None:
    said = {row["answer"] for row in made(tmp_path, abstain=0.2, mask=0, form="name")}
    assert said == {"get_weather", "get_forecast", "book_table", "pay", "none"}


def test_a_teacher_rewords_and_what_loses_or_adds_a_value_is_refused(tmp_path: Path) -> None:
    voice = Voice()

    def say(request: str) -> str:
        query = request.split("\n")[0].removeprefix("Request: ")
        return "hello there" if "restaurant" in query or "table" in query else f"hey, {query} Now or in 99 days."

    where, made_by = catalogue(tmp_path), ToolCalls(tools="tools.json", count=8, abstain=0, reword=True)
    with scripted(say) as server:
        assert run(made_by, [], voice, **where, **asking(server, tmp_path)) == []
    assert "adds a value (6, " in voice.notes[-1] and "loses a value of the call (2, " in voice.notes[-1]
    with scripted(lambda request: f"hey, {request.split(chr(10))[0].removeprefix('Request: ')}") as server:
        rows = run(made_by, [], **where, **asking(server, tmp_path / "b"))
    assert len(rows) == 8 and all(row["query"].startswith("hey, ") for row in rows)
    assert rows[0].provenance.detail["model"] == "big"
    assert made_by.get_required_models() == ("teacher",) and ToolCalls(
        tools="tools.json", count=8
    ).get_required_models() == ()


@pytest.mark.parametrize(("schema", "holds"), [
    ({"const": 5}, lambda v: v == 5), ({"type": "integer", "minimum": 3, "maximum": 4}, lambda v: v in (3, 4)),
    ({"type": "number", "multipleOf": 0.25, "minimum": 0, "maximum": 1}, lambda v: v in (0, 0.25, 0.5, 0.75, 1)),
    ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}, lambda v: v == 4),
    ({"type": ["null", "boolean"]}, lambda v: isinstance(v, bool)),
    ({"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 2, "maxItems": 2}, lambda v: len(set(v)) == 2),
    ({"type": "string", "format": "date"}, lambda v: len(v) == 10), ({"anyOf": [{"const": 1}, {"type": "null"}]}, bool),
    ({"type": "string", "description": "One of 'owl' or 'elk', e.g. 'owl', 'elk'."}, lambda v: v in ("owl", "elk")),
    ({"type": "string", "description": "The code"}, lambda v: v is None),
    ({"type": "string", "pattern": "^[A-Z]$"}, lambda v: v is None),
    ({"type": "object", "properties": {"n": {"const": 1}}}, lambda v: v == {"n": 1}),
])
def test_values_obey_their_schema(schema: dict[str, Any], holds: Any) -> None:
    for seed in range(20):
        assert holds(draw_schema_value("code", schema, Random(seed)))


def test_a_text_that_nothing_is_known_of_is_asked_for_and_may_be_given() -> None:
    tool = Tool("track", "Tracks a parcel.", {"required": ["code"], "properties": {"code": {"type": "string"}}})
    with pytest.raises(ValueError, match=r"no values to draw for 'code'; add `examples`"):
        draw_arguments(tool, {}, Random(1))
    assert draw_arguments(tool, {"code": ["Z9"]}, Random(1)) == {"code": "Z9"}


def test_values_take_their_place_in_the_description() -> None:
    tool = Tool("w", "Returns the weather in a given city. Free.", {"properties": {"city": {}, "unit": {}}})
    said = {phrase_tool_query(tool, {"city": "Lima", "unit": "celsius"}, Random(seed)) for seed in range(20)}
    assert "Get the weather in Lima: unit celsius." in said and len(said) > 4
    assert phrase_tool_query(tool, {}, Random(1)).lower().rstrip(".?").endswith("get the weather")


def _written(folder: Path, *tools: Any) -> Path:
    (folder / "tools.json").write_text(json.dumps(tools))
    return folder / "tools.json"


@pytest.mark.parametrize(("tools", "told"), [
    ([], "expected a list of functions"), ([{"description": "x"}], "tool 1: name: expected a text"),
    ([{"name": "a"}], "tool 1, a: description"), ([PAY, PAY], "'pay' is defined twice"),
    ([{**PAY, "parameters": {"required": ["x"], "properties": {}}}], "required names 'x'"),
    ([{**PAY, "parameters": {"properties": {"x": {"$ref": "#"}}}}], r"'\$ref' is not supported"),
    ([PAY], "at least two tools"),
])
def test_a_file_that_is_wrong_is_told_by_tool(tools: list[Any], told: str, tmp_path: Path) -> None:
    _written(tmp_path, *tools)
    with pytest.raises(ValueError, match=told):
        run(ToolCalls(tools="tools.json", count=2), [], root=tmp_path, task=Calling())


def test_schemas_with_few_values_give_few_rows(tmp_path: Path) -> None:
    voice, bare = Voice(), {"name": "stop", "description": "Stops it."}
    where = catalogue(tmp_path, bare, {**bare, "name": "go"})
    rows = run(ToolCalls(tools="tools.json", count=90, abstain=0), [], voice, **where)
    assert 0 < len(rows) < 12 and "repeats another case: the schemas allow too few values" in voice.notes[-1]


def test_rows_do_not_depend_on_the_order_of_hashes(tmp_path: Path) -> None:
    catalogue(tmp_path)
    program = f"""
from pathlib import Path
from test_tools import *
for row in run(ToolCalls(tools="tools.json", count=30), [], root=Path({str(tmp_path)!r}), task=Calling()):
    print(row.to_json())"""
    assert printed(program, "1") == printed(program, "2") != ""
