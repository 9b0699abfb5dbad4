"""Which parts of a reply can be trusted: a poisoned one must neither be cached nor end a build."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

MAX_NESTING = 100
"""Levels of brackets in a JSON answer; no schema of a specialist comes near, and parsers overflow far above."""
VERSION_SUFFIX = re.compile(r"[-_@:](latest|v?\d{3,8}(-\d\d-\d\d)?)$")
"""Of the name of a model: a date, a number of three digits or more, or the word `latest`."""


def find_text_fault(text: str) -> str:
    """Return what makes a text unusable, for a repair prompt; empty if it is text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "it contains half a character (a lone surrogate), which is not text"
    return ""


def check_finite_json(text: str, value: Any) -> None:
    """Raise ValueError if the JSON of an answer, or the value read from it, can not be written as a row.

    Validation takes `1e999` and the text `NaN` for numbers, and deep nesting where any value is allowed.
    """
    if measure_nesting(text) > MAX_NESTING:
        raise ValueError(f"brackets are nested more than {MAX_NESTING} levels deep")
    try:
        # What no field of the schema reads is dropped: the text itself need not be finite.
        json.dumps(value, allow_nan=False, ensure_ascii=False, default=str).encode()
    except ValueError:
        raise ValueError("it holds an infinite number, or half a character") from None


def measure_nesting(text: str) -> int:
    """Return how deep brackets are nested at most; those inside of strings count too, so it is an upper bound."""
    depth = deepest = 0
    for bracket in re.finditer(r"[\[\]{}]", text):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def find_choice_fault(reply: Mapping[str, Any], model: str) -> str:
    """Return why a reply is not the answer of `model` to a request for one choice; empty if it is."""
    index = reply["choices"][0].get("index") or 0
    if index != 0:
        return f"its first choice is number {index!r}, not 0: choices are out of order"
    name = reply.get("model")
    if isinstance(name, str) and name and not is_same_model(model, name):
        return f"it is by the model {name!r}; if the endpoint calls {model!r} so, set reply_model to that name"
    return ""


def is_same_model(asked: str, named: str) -> bool:
    """Return whether an endpoint's name of a model may mean the one that was asked.

    Servers leave out or add the owner's part, a file's ending, a tag, and the version that a name stands for today.
    """
    one, other = _strip_place(asked), _strip_place(named)
    # A name that moves on, such as `-latest`, is answered with a date.
    return one == other or one.removesuffix("-latest") == _strip_version(other) or _strip_version(one) == other


def _strip_place(name: str) -> str:
    return re.split(r"[/\\]", name.strip().lower())[-1].removesuffix(".gguf")


def _strip_version(name: str) -> str:
    return VERSION_SUFFIX.sub("", name)
