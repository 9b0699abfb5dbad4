"""Phrase a query for a tool call from the tool's description and arguments, without a model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from factory_synth.tool_schemas import Tool

SLOT_PATTERN = (
    r"(?:an?|the|your|some|any) (?:(?:given|specified|specific|particular|certain|desired|requested) )?{name}s?\b"
)
UNFILLED_PHRASE = re.compile(
    r" (?:in|for|of|at|on|to|from|by) (?:an?|the) (?:given|specified|specific|particular|desired) \w+"
)
SERVICE_PREAMBLE = re.compile(
    r"^(?:(?:this|it|the|an?) )?(?:(?:tool|plugin|function|api|app|service)s? )?(?:(?:is|can be) )?"
    r"(?:allow|let|help|enable|use|assist)(?:s|d)? (?:(?:you|users?|the user|people) )?(?:to |with )?", re.IGNORECASE,
)
THIRD_PERSON_VERB = re.compile(r"^(\w+?)(?:(?<=ss|sh|ch|zz)es|(?<=[xo])es|s)$")
ACTION_VERBS = frozenset(re.findall(r"\w+", """
accept access add adjust analyze annotate answer append apply approve archive arrange ask assign attach authenticate
ban block book browse build buy calculate call cancel change charge chat check choose classify clear clone close
collect compare compile complete compose compute configure confirm connect convert copy count create customize debug
decode decrease delete deliver deploy describe detect determine disable discover dispatch display divide download
draft draw duplicate edit elevate email enable encode encrypt end estimate evaluate execute experience explain
explore export extract fetch fill filter find fix flag flip follow forecast format forward generate get give grade
grant group identify import improve increase initiate insert install interact invite issue join launch learn list
listen load locate lock log look lower make manage map mark match measure merge modify monitor move multiply mute
navigate notify obtain offer open optimize order organize pause pay perform pick place plan play plot post predict
prepare print process produce provide publish purchase query raise rank rate read recommend record redeem refresh
refund register reject remind remove rename render renew rent repeat rephrase replace reply report request
reschedule reserve reset resize resolve restart restore retrieve return reverse review rewrite roll run save scan
schedule score scrape search select send set share ship shorten show shuffle sign simulate skip solve sort speak
split start stop store stream submit subscribe subtract suggest summarise summarize switch sync tag take tell test
toggle track transcribe transfer translate trigger trim turn type unblock unfollow unlock unsubscribe update upload
upvote use validate verify view vote wake watch write
"""))
RETRIEVAL_VERBS = frozenset(("return", "retrieve", "fetch", "obtain", "provide", "offer", "give"))
FIRST_PERSON_WORDS = (
    (r"\byour\b", "my"), (r"\byou are\b", "I am"), (r"\bto you\b", "to me"), (r"\byou\b", "I"), (r"\bour\b", "the"),
)
ACTION_FORMS = (
    "{do}{rest}.", "Please {do_}{rest}.", "Can you {do_}{rest}?", "I need you to {do_}{rest}.",
    "Could you {do_}{rest}?", "I would like to {do_}{rest}.",
)
"""Query templates for actions; the first two can end with a colon and arguments."""

THING_FORMS = (
    "{do}{rest}, please.", "I need this: {do_}{rest}.", "I am looking for {do_}{rest}.", "Do you have {do_}{rest}?",
)
"""Query templates for descriptions that say what a tool is and not what it does."""


def phrase_tool_query(tool: Tool, arguments: Mapping[str, Any], draw: Random) -> str:
    """Phrase a query in the words of the description that contains every argument value."""
    (purpose, is_action), remaining = _parse_tool_purpose(tool.description), dict(arguments)
    for name, value in arguments.items():
        slot = re.search(SLOT_PATTERN.format(name=re.escape(split_code_name(name))), purpose, re.IGNORECASE)
        if slot and not isinstance(value, bool | list | dict):
            purpose = purpose[: slot.start()] + phrase_argument_value(value) + purpose[slot.end() :]
            del remaining[name]
    purpose = UNFILLED_PHRASE.sub("", purpose)
    rest = ", ".join(f"{split_code_name(name)} {phrase_argument_value(value)}" for name, value in remaining.items())
    lead = draw.choice((", with ", " – ", ": ")) if rest else ""
    forms = ACTION_FORMS if is_action else THING_FORMS
    lower = purpose if purpose[1:2].isupper() else purpose[:1].lower() + purpose[1:]
    text = draw.choice(forms[:2] if lead == ": " else forms).format(do=purpose, do_=lower, rest=f"{lead}{rest}")
    return text[:1].upper() + text[1:]


def phrase_argument_value(value: Any) -> str:
    """Write a value as a person would."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " and ".join(phrase_argument_value(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{split_code_name(name)} {phrase_argument_value(item)}" for name, item in value.items())
    return value if isinstance(value, str) else json.dumps(value)


def is_value_in_text(value: Any, text: str) -> bool:
    """Return whether a text contains every word and number of a value verbatim; booleans are not checked."""
    if isinstance(value, bool):
        return True
    if isinstance(value, list | dict):
        return all(is_value_in_text(item, text) for item in (value.values() if isinstance(value, dict) else value))
    return re.search(rf"(?<![\w]){re.escape(phrase_argument_value(value))}(?![\w])", text, re.IGNORECASE) is not None


def split_code_name(name: str) -> str:
    """Split an identifier into words: `maxPrice` and `max_price` become `max price`."""
    return re.sub(r"[_\W]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name)).lower().strip()


def _parse_tool_purpose(description: str) -> tuple[str, bool]:
    """Turn the first sentence of a description into a request; also return whether it names an action.

    `Returns the weather.` becomes `Get the weather`, `Lets you plan your day` becomes `Plan my day`.
    """
    first = re.split(r"(?<=[\w)])[.!](?:\s|$)|;|\n", description, maxsplit=1)[0].strip()
    first = SERVICE_PREAMBLE.sub("", first) if not first.lower().startswith(("use ", "help ")) else first
    verb, _, rest = first.partition(" ")
    third_person = THIRD_PERSON_VERB.match(verb.lower())
    forms = (verb.lower(), *((third_person.group(1), f"{verb.lower()[:-3]}y") if third_person else ()))
    base = next((form for form in forms if form in ACTION_VERBS), "")
    for pattern, replacement in FIRST_PERSON_WORDS:
        rest = re.sub(pattern, replacement, rest, flags=re.IGNORECASE)
    if not base:
        return f"{verb} {rest}".strip(), False
    action = "Get" if base in RETRIEVAL_VERBS else base.capitalize()
    return f"{action} {rest}".strip(), True
