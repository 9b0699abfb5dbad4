"""How a person might ask for a call, from the tool's description and the arguments alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from factory_synth.tools import Tool

PLACED = r"(?:an?|the|your|some|any) (?:(?:given|specified|specific|particular|certain|desired|requested) )?{name}s?\b"
UNSAID = re.compile(r" (?:in|for|of|at|on|to|from|by) (?:an?|the) (?:given|specified|specific|particular|desired) \w+")
GETS = ("return", "retrieve", "fetch", "obtain")
THIRD = re.compile(r"^(\w+?)(?:(?<=ss|sh|ch|zz)es|(?<=[xo])es|s)$")
FORMS = (
    "{do}{rest}.", "Please {do_}{rest}.", "Can you {do_}{rest}?", "I need you to {do_}{rest}.",
    "Could you {do_}{rest}?", "I would like to {do_}{rest}.",
)


def asked(tool: Tool, given: Mapping[str, Any], draw: Random) -> str:
    """A request for a call with these arguments: every value stands in it, in the words of the description."""
    do, left = _imperative(tool.description), dict(given)
    for name, value in given.items():
        pattern = PLACED.format(name=re.escape(spaced(name)))
        place = re.search(pattern, do, re.IGNORECASE)
        if place and not isinstance(value, bool | list | dict):
            do = do[: place.start()] + told(value) + do[place.end() :]
            del left[name]
    do = UNSAID.sub("", do)
    rest = ", ".join(f"{spaced(name)} {told(value)}" for name, value in left.items())
    lead = draw.choice((", with ", " – ", ": ")) if rest else ""
    form = draw.choice(FORMS if lead != ": " else FORMS[:2])
    text = form.format(do=do, do_=do[:1].lower() + do[1:], rest=f"{lead}{rest}")
    return text[:1].upper() + text[1:]


def told(value: Any) -> str:
    """A value as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " and ".join(told(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{spaced(name)} {told(each)}" for name, each in value.items())
    return value if isinstance(value, str) else json.dumps(value)


def stands(value: Any, text: str) -> bool:
    """Whether a value can be read in a text: each text and number of it, as it is. A yes or no is not looked for."""
    if isinstance(value, bool):
        return True
    if isinstance(value, list | dict):
        return all(stands(each, text) for each in (value.values() if isinstance(value, dict) else value))
    return re.search(rf"(?<![\w]){re.escape(told(value))}(?![\w])", text, re.IGNORECASE) is not None


def spaced(name: str) -> str:
    """A name of code as words: `maxPrice` and `max_price` are `max price`."""
    return re.sub(r"[_\W]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name)).lower().strip()


def _imperative(description: str) -> str:
    """The first sentence of a description as a command: `Returns the weather.` becomes `Return the weather`."""
    first = re.split(r"(?<=[a-z\d)])\.(?:\s|$)|;|\n", description, maxsplit=1)[0].strip().rstrip(".")
    verb, _, rest = first.partition(" ")
    if (plain := THIRD.match(verb)) and rest:
        verb = plain.group(1)
    verb = "Get" if verb.lower() in GETS else verb
    return f"{verb} {rest}".strip()
