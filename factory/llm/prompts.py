"""One request: its key, how it is put to a model, and whether an answer is one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from factory import identity
from factory.api import ChatRequest, Message, normalise

PROMPT_VERSION = 1
"""Bumped by hand when the same request would be put to a model in other words."""

ANSWER_FIELD = "answer"
"""The field that a choice stands in, where a server takes a schema."""

CODE_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
MAX_FAULTS_SHOWN = 4
"""Faults of an answer that the model is told; more only confuse."""


class InvalidAnswerError(ValueError):
    """What is wrong with an answer, in words that its writer can act on."""


def compute_request_key(ask: ChatRequest, who: Mapping[str, Any]) -> str:
    """The digest of a request to somebody: of all that its answer depends on."""
    return identity.compute_key({
        "version": PROMPT_VERSION, "who": dict(who), "messages": [[each.role, each.content] for each in ask.messages],
        "schema": _get_json_schema(ask.schema) if ask.schema else None, "choices": list(ask.choices),
        "temperature": ask.temperature, "max_tokens": ask.max_tokens, "draw": ask.sample_index,
    })


@cache
def _get_json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model, made once: whole batches share it."""
    return model.model_json_schema()


def parse_answer(ask: ChatRequest, text: str) -> tuple[str, Any]:
    """The text and the value of a valid answer. Raises InvalidAnswerError."""
    if ask.choices:
        return _match_choice(text, ask.choices), None
    if ask.schema is None:
        if not text.strip():
            raise InvalidAnswerError("the answer is empty")
        return text, None
    return text, _validate_answer(text, ask.schema)


def _validate_answer(text: str, schema: type[BaseModel]) -> BaseModel:
    try:
        return schema.model_validate_json(_extract_json(text))
    except ValidationError as error:
        raise InvalidAnswerError("; ".join(_describe_validation_errors(error))) from None


def _extract_json(text: str) -> str:
    """The JSON in an answer: what a fence holds, else from the first bracket to the last, else all of it."""
    fenced = CODE_FENCE.search(text)
    body = (fenced[1] if fenced else text).strip()
    starts = [place for place in (body.find("{"), body.find("[")) if place >= 0]
    end = max(body.rfind("}"), body.rfind("]"))
    return body[min(starts) : end + 1] if starts and end > min(starts) else body


def _describe_validation_errors(error: ValidationError) -> list[str]:
    details = error.errors(include_url=False, include_context=False)
    told = [(".".join(map(str, each["loc"])), str(each["msg"])) for each in details[:MAX_FAULTS_SHOWN]]
    return [f"{where}: {what}" if where else what for where, what in told]


def _match_choice(text: str, choices: tuple[str, ...]) -> str:
    """The choice that an answer is, in any case and punctuation, alone or as JSON."""
    said = text.strip()
    try:
        value = json.loads(_extract_json(said))
        said = str(value.get(ANSWER_FIELD, said)) if isinstance(value, dict) else said
    except ValueError:
        pass
    if said in choices:
        return said
    alike = [choice for choice in choices if normalise(choice) == normalise(said)]
    if len(alike) != 1:
        raise InvalidAnswerError(f"it is none of: {', '.join(choices)}")
    return alike[0]


def build_answer_schema(ask: ChatRequest) -> dict[str, Any] | None:
    """The JSON Schema of an answer, in the strict form that servers take; None for free text."""
    if ask.choices:
        enum = {"type": "string", "enum": list(ask.choices)}
        return {"type": "object", "properties": {ANSWER_FIELD: enum}, "required": [ANSWER_FIELD], "additionalProperties": False}
    return _close_schema_objects(_get_json_schema(ask.schema)) if ask.schema else None


def _close_schema_objects(part: Any) -> Any:
    """A schema whose objects all name every field, as constrained decoding wants them; open mappings stay open."""
    if isinstance(part, list):
        return [_close_schema_objects(item) for item in part]
    if not isinstance(part, dict):
        return part
    closed = {name: _close_schema_objects(value) for name, value in part.items() if name != "default"}
    fields = closed.get("properties")
    if isinstance(fields, dict) and isinstance(part.get("type"), str):
        closed |= {"required": list(fields), "additionalProperties": False}
    return closed


def add_format_instructions(ask: ChatRequest) -> tuple[Message, ...]:
    """The messages with the form of the answer said in words, for a model that nothing constrains."""
    if ask.choices:
        said = f"Answer with one of these, and nothing else: {' | '.join(ask.choices)}"
    elif ask.schema:
        said = _describe_schema(ask.schema)
    else:
        return ask.messages
    *before, last = ask.messages
    if last.role != "user":
        return (*ask.messages, Message("user", said))
    return (*before, Message("user", f"{last.content}\n\n{said}"))


def _describe_schema(model: type[BaseModel]) -> str:
    shape = json.dumps(_get_json_schema(model), ensure_ascii=False, separators=(",", ":"))
    return f"Answer with one JSON object, and nothing else, that follows this JSON Schema:\n{shape}"


def build_repair_messages(ask: ChatRequest, text: str, fault: str) -> tuple[Message, ...]:
    """The messages of the one repair round: the answer, what is wrong with it, and its form in words."""
    form = f"Answer with one of: {' | '.join(ask.choices)}" if ask.choices else ""
    form = _describe_schema(ask.schema) if ask.schema else form
    return (
        *ask.messages, Message("assistant", text or "(nothing)"),
        Message("user", f"That answer is not valid: {fault}. {form}"),
    )


def excerpt_request(ask: ChatRequest, width: int = 60) -> str:
    """How a person recognises a request: the beginning of its last message."""
    text = " ".join(ask.messages[-1].content.split())
    return text if len(text) <= width else f"{text[: width - 1]}…"
