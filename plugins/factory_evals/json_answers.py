"""Answers that are JSON: whether they are valid by a schema, and equal to the right one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from pydantic import Field, field_validator

from factory.api import Eval, Metric, ScoreJob, Scores
from factory_evals.text_answers import get_text_answer, iterate_text_pairs

MAX_REASONS = 10
"""Reasons of invalid answers that the table shows, the most frequent first."""


class JSONAnswers(Eval):
    """Whether an answer is JSON, valid by a JSON Schema, and the same value as the right answer.

    The whole answer must be JSON: text around it makes it invalid, as it does for the program that reads it. Values are
    compared as JSON Schema does: the order of keys does not count, 1 equals 1.0, and true is no 1. The match decides:
    validity alone is won by any valid answer, the same for every row, and is for guards of the gate:
    `{metric: json_valid, within: 0.02}`.
    """

    kind = "json"
    output_type = "text"
    primary_metric = "json_match"
    metrics = (
        Metric("json_match", "whether the answer is the same JSON value as the right one", binary=True),
        Metric("json_valid", "whether the answer is JSON and valid by the schema", binary=True),
    )
    uses_task = True

    json_schema: dict[str, Any] = Field({}, description="the JSON Schema of a valid answer; empty for any JSON")

    @field_validator("json_schema")
    @classmethod
    def _validate_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        try:
            from jsonschema import SchemaError
        except ImportError:  # the check of required modules says so
            return schema
        try:
            _make_validator(schema)
        except SchemaError as error:
            place = "/".join(map(str, error.absolute_path))
            raise ValueError(f"is no JSON Schema{f' at {place}' if place else ''}: {error.message}") from None
        _check_references(schema)
        return schema

    def list_required_modules(self) -> Mapping[str, str]:
        return {"jsonschema": "specialist-factory[json]"}

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row, answer, right in iterate_text_pairs(job):
            value, problem = self._parse_answer(answer)
            same = not problem and is_same_json(value, right)
            yield Scores(row.id, {"json_match": float(same), "json_valid": float(not problem)})

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return why answers are invalid, the most frequent reasons first."""
        problems = (self._parse_answer(get_text_answer(job, row))[1] for row in job.rows)
        reasons = sorted(Counter(filter(None, problems)).items(), key=lambda item: (-item[1], item[0]))
        return {"invalid JSON": [{"reason": reason, "rows": count} for reason, count in reasons[:MAX_REASONS]]}

    def _parse_answer(self, text: str) -> tuple[Any, str]:
        """Return the value of an answer, and why it is invalid or ""."""
        try:
            value = parse_json(text)
        except ValueError as error:
            return None, str(error)
        found = next(_make_validator(self.json_schema).iter_errors(value), None)
        # The place and the rule, without the value: equal reasons can be counted.
        place = "" if found is None else "/".join(str(part) for part in found.absolute_schema_path)
        return value, place and f"not valid by {place}"


def parse_json(text: str) -> Any:
    """Parse a text as JSON of the standard, without NaN and infinities. Raises ValueError that says what it is not."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError("not JSON: nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"not JSON: {name} is no number")


def is_same_json(value: Any, right: str) -> bool:
    """Return whether a value is the one that a text says in JSON. Raises ValueError if that text is no JSON."""
    try:
        expected = parse_json(right)
    except ValueError as error:
        raise ValueError(f"the right answer {right[:60]!r} is {error}") from None
    return bool(_make_validator({"const": expected}).is_valid(value))


def _check_references(schema: Mapping[str, Any]) -> None:
    """Raise ValueError for a `$ref` to another document, or to a place that the schema does not have."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    root = resource.id() or ""
    resolver = Registry().with_resource(root, resource).resolver(root)
    for reference in _iterate_references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise ValueError(f"has no {reference!r}; a reference must be to a place of the schema itself") from None


def _iterate_references(value: Any) -> Iterator[str]:
    """Yield every `$ref` of a schema, at any depth."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else []
    if isinstance(value, Mapping) and isinstance(value.get("$ref"), str):
        yield value["$ref"]
    for item in inner:
        yield from _iterate_references(item)


def _make_validator(schema: Mapping[str, Any]) -> Any:
    """Return a validator by the draft that the schema names. Raises SchemaError if it is none."""
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    kind: Any = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(schema)
    # An empty registry: a reference to another document is an error, and nothing is fetched.
    return kind(schema, registry=Registry())
