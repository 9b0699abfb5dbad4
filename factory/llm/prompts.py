"""Request keys, format instructions, and parsing and repair of answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from factory import identity
from factory.api import ChatRequest, Message, normalise
from factory.llm.reply_checks import check_finite_json, find_text_fault

PROMPT_VERSION = 1
"""Part of every request key: bump it by hand when the wording of format or repair instructions changes."""

ANSWER_FIELD = "answer"
"""The JSON field of a choice, for servers that accept a schema."""

CODE_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
MAX_FAULTS_SHOWN = 4
"""Validation errors that a repair prompt lists."""


class InvalidAnswerError(ValueError):
    """An invalid answer; the text is part of the repair prompt, so the model must be able to act on it."""


def compute_request_key(request: ChatRequest, model_identity: Mapping[str, Any]) -> str:
    """Return the cache key of a request to a model: a digest of everything that its answer depends on."""
    return identity.compute_key({
        "version": PROMPT_VERSION, "who": dict(model_identity),
        "messages": [[message.role, message.content] for message in request.messages],
        "schema": _get_json_schema(request.schema) if request.schema else None, "choices": list(request.choices),
        "temperature": request.temperature, "max_tokens": request.max_tokens, "draw": request.sample_index,
    })


@cache
def _get_json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model; cached, since whole batches share it."""
    return model.model_json_schema()


def parse_answer(request: ChatRequest, text: str) -> tuple[str, Any]:
    """Return the text and, for a schema, the validated value of an answer. Raises InvalidAnswerError.

    An answer that could not be written as a row, such as half a character or an infinite number, is not valid.
    """
    if fault := find_text_fault(text):
        raise InvalidAnswerError(fault)
    if request.choices:
        return _match_choice(text, request.choices), None
    if request.schema is None:
        if not text.strip():
            raise InvalidAnswerError("the answer is empty")
        return text, None
    body = _extract_json(text)
    try:
        value = request.schema.model_validate_json(body)
        check_finite_json(body, value.model_dump())
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)[:MAX_FAULTS_SHOWN]
        faults = [(".".join(map(str, detail["loc"])), str(detail["msg"])) for detail in details]
        raise InvalidAnswerError("; ".join(f"{path}: {text}" if path else text for path, text in faults)) from None
    except ValueError as error:
        raise InvalidAnswerError(str(error)) from None
    return text, value


def _extract_json(text: str) -> str:
    """Return the JSON in an answer: the content of a code fence, else first to last bracket, else all of it."""
    fenced = CODE_FENCE.search(text)
    body = (fenced[1] if fenced else text).strip()
    starts = [start for start in (body.find("{"), body.find("[")) if start >= 0]
    end = max(body.rfind("}"), body.rfind("]"))
    return body[min(starts) : end + 1] if starts and end > min(starts) else body


def _match_choice(text: str, choices: tuple[str, ...]) -> str:
    """Return the choice that an answer names, plainly or as JSON; case and punctuation are ignored."""
    answer = text.strip()
    try:
        value = json.loads(_extract_json(answer))
        answer = str(value.get(ANSWER_FIELD, answer)) if isinstance(value, dict) else answer
    except (ValueError, RecursionError):
        pass
    if answer in choices:
        return answer
    matches = [choice for choice in choices if normalise(choice) == normalise(answer)]
    if len(matches) != 1:
        raise InvalidAnswerError(f"it is none of: {', '.join(choices)}")
    return matches[0]


def build_answer_schema(request: ChatRequest) -> dict[str, Any] | None:
    """Return the JSON Schema of an answer in the strict form of the OpenAI API; None for free text."""
    if request.choices:
        fields = {ANSWER_FIELD: {"type": "string", "enum": list(request.choices)}}
        return {"type": "object", "properties": fields, "required": [ANSWER_FIELD], "additionalProperties": False}
    return _close_schema_objects(_get_json_schema(request.schema)) if request.schema else None


def _close_schema_objects(node: Any) -> Any:
    """Return a schema whose objects require every field and allow no other, as strict mode demands; mappings stay."""
    if isinstance(node, list):
        return [_close_schema_objects(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {name: _close_schema_objects(value) for name, value in node.items() if name != "default"}
    fields = closed.get("properties")
    # A field may itself be called "properties": only a node with a "type" is a schema.
    if isinstance(fields, dict) and isinstance(node.get("type"), str):
        closed |= {"required": list(fields), "additionalProperties": False}
    return closed


def add_format_instructions(request: ChatRequest) -> tuple[Message, ...]:
    """Return the messages with format instructions appended to the last user turn, for unconstrained models."""
    if request.choices:
        instructions = f"Answer with one of these, and nothing else: {' | '.join(request.choices)}"
    elif request.schema:
        instructions = _describe_schema(request.schema)
    else:
        return request.messages
    *before, last = request.messages
    if last.role != "user":
        return (*request.messages, Message("user", instructions))
    return (*before, Message("user", f"{last.content}\n\n{instructions}"))


def _describe_schema(model: type[BaseModel]) -> str:
    shape = json.dumps(_get_json_schema(model), ensure_ascii=False, separators=(",", ":"))
    return f"Answer with one JSON object, and nothing else, that follows this JSON Schema:\n{shape}"


def build_repair_messages(request: ChatRequest, text: str, fault: str) -> tuple[Message, ...]:
    """Return the messages of the repair round: the answer, its fault, and the format instructions."""
    form = f"Answer with one of: {' | '.join(request.choices)}" if request.choices else ""
    form = _describe_schema(request.schema) if request.schema else form
    fault_message = Message("user", f"That answer is not valid: {fault}. {form}")
    return (*request.messages, Message("assistant", text or "(nothing)"), fault_message)
