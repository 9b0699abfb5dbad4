from __future__ import annotations

import copy
import json

import jsonschema
import pytest
import yaml
from toy_kinds import REGISTRY, SPEC

from factory.spec.json_schema import build_json_schema

VALIDATOR = jsonschema.Draft202012Validator(build_json_schema(REGISTRY))


def spec(**changed: object) -> dict[str, object]:
    return {**yaml.safe_load(SPEC), **copy.deepcopy(changed)}


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(build_json_schema(REGISTRY))
    assert json.loads(json.dumps(build_json_schema(REGISTRY))) == build_json_schema(REGISTRY)


def test_a_spec_that_resolves_is_valid() -> None:
    VALIDATOR.validate(spec())
    VALIDATOR.validate(spec(task={"kind": "sorting", "pool": 3}, objective={"margin": 2}, targets=["shelf"]))
    VALIDATOR.validate(spec(profiles={"quick": {"train": {"epochs": 1}, "objective": {"margin": 0.1}}}))


def test_an_objective_may_be_a_list_of_steps() -> None:
    rows = {"sources": [{"kind": "lines", "file": "more.jsonl"}], "curate": ["short"]}
    steps = ["pairwise", {"kind": "pairwise", "margin": 0.2, "rows": rows, "train": {"epochs": 2}}]
    VALIDATOR.validate(spec(objective=steps, profiles={"quick": {"objective": steps[:1]}}))


@pytest.mark.parametrize(
    "changed",
    [
        {"objective": []},
        {"objective": [{"kind": "pairwise", "rows": {"source": []}}]},
        {"objective": [{"kind": "pairwise", "train": {"epoch": 1}}]},
        {"objective": {"kind": "pairwise", "rows": {}}},
        {"trian": {}},
        {"train": {"epoch": 1}},
        {"train": {"epochs": 0}},
        {"objective": {"kind": "pairwise", "margins": 1}},
        {"objective": "pairwize"},
        {"task": {"pool": 3}},
        {"targets": ["nowhere"]},
        {"data": {"sources": ["lines"]}},
        {"data": {"sources": [{"kind": "lines", "file": "x", "fields": {"word": "w"}}]}},
        {"profiles": {"quick": {"train": {"epoch": 1}}}},
        {"profiles": {"quick": {"profiles": {}}}},
        {"profiles": {"quick": {"data": {"sources": ["lines"]}}}},
    ],
    ids=str,
)
def test_what_is_not_a_spec_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(spec(**changed))


def test_every_field_of_a_plugin_is_described_to_editors() -> None:
    lines = build_json_schema(REGISTRY)["$defs"]["source.lines"]
    assert lines["properties"]["file"]["description"] == "JSONL of phrases"
    assert lines["required"] == ["kind", "file"]
    assert build_json_schema(REGISTRY)["$defs"]["source"]["anyOf"][0]["enum"] == ["words"]


def test_a_field_that_no_task_brings_is_required() -> None:
    assert build_json_schema(REGISTRY)["required"] == ["apiVersion", "name", "task", "models"]
