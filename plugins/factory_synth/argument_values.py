"""Draw values for a tool's arguments from their JSON schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from factory_synth.tool_schemas import Tool

EXAMPLE_PATTERN = re.compile(r"(?:e\.?g\.?,?|for example,?|such as|like)\s+(.+?)\s*[.)]*$", re.IGNORECASE)
FIRST_DATE = date(2025, 1, 6)
OPTIONAL_CHANCE = 0.4
"""Probability that an optional argument is filled in."""

COMMON_VALUES: Mapping[str, Sequence[str]] = {
    "city": ("Oslo", "Nairobi", "Lima", "Hanoi", "Porto", "Leeds"),
    "location": ("Oslo", "Nairobi", "Lima", "Hanoi", "Porto", "Leeds"),
    "place": ("Oslo", "Nairobi", "Lima", "Hanoi", "Porto", "Leeds"),
    "origin": ("Bergen", "Accra", "Quito", "Turin"), "destination": ("Ghent", "Tunis", "Osaka", "Perth"),
    "from": ("Bergen", "Accra", "Quito", "Turin"), "to": ("Ghent", "Tunis", "Osaka", "Perth"),
    "country": ("Norway", "Kenya", "Peru", "Vietnam", "Portugal"),
    "language": ("French", "Swahili", "Spanish", "Vietnamese"),
    "currency": ("EUR", "NOK", "KES", "JPY", "USD"),
    "name": ("Amina Odhiambo", "Jonas Berg", "Lucía Flores", "Minh Tran"),
    "person": ("Amina Odhiambo", "Jonas Berg", "Lucía Flores", "Minh Tran"),
    "recipient": ("Amina Odhiambo", "Jonas Berg", "Lucía Flores", "Minh Tran"),
    "email": ("amina@example.com", "jonas@example.org", "lucia@example.net"),
    "phone": ("+47 555 0142", "+254 555 0190", "+51 555 0117"),
    "title": ("Quarterly review", "Team lunch", "Dentist", "Roof repair"),
    "subject": ("Quarterly review", "Team lunch", "Dentist", "Roof repair"),
    "query": ("wool socks", "night trains to Vienna", "how to prune roses", "second-hand cellos"),
    "keyword": ("wool", "night trains", "roses", "cellos"),
    "message": ("I will be late", "the keys are under the mat", "call me after lunch"),
    "text": ("I will be late", "the keys are under the mat", "call me after lunch"),
    "url": ("https://example.com/a", "https://example.org/news"),
}
"""Values of common argument names, used when the schema gives no examples."""


def draw_arguments(tool: Tool, values: Mapping[str, Sequence[str]], draw: Random) -> dict[str, Any]:
    """Draw a value for every required argument of a tool and for some optional ones.

    `values` are the user's own candidates by argument name. Raises ValueError for a required free-text argument
    whose schema gives no examples.
    """
    arguments: dict[str, Any] = {}
    for name, schema in tool.properties.items():
        if name in tool.mandatory_arguments or draw.random() < OPTIONAL_CHANCE:
            value = draw.choice(list(values[name])) if values.get(name) else draw_schema_value(name, schema, draw)
            if value is not None:
                arguments[name] = value
            elif name in tool.mandatory_arguments:
                remedy = f"add `examples` or an `enum` to its schema, or set `values: {{{name}: […]}}`"
                raise ValueError(f"tool {tool.name!r}: no values to draw for {name!r}; {remedy}")
    return arguments


def draw_schema_value(name: str, schema: Mapping[str, Any], draw: Random) -> Any:
    """Draw a value that the schema allows; None for a text whose values are unknown."""
    if "const" in schema:
        return schema["const"]
    for keyword in ("enum", "examples"):
        if keyword in schema:
            return draw.choice(list(schema[keyword]))
    for union in ("anyOf", "oneOf"):
        if union in schema:
            options = [option for option in schema[union] if option.get("type") != "null"]
            return draw_schema_value(name, draw.choice(options), draw)
    kind = schema.get("type", "string")
    kind = next((name for name in kind if name != "null"), "string") if isinstance(kind, list) else kind
    if kind == "boolean":
        return draw.random() < 0.5
    if kind in ("integer", "number"):
        return _draw_schema_number(schema, 1 if kind == "integer" else 0.5, draw)
    if kind == "array":
        return _draw_schema_array(name, schema, draw)
    if kind == "object":
        fields = {key: draw_schema_value(key, inner, draw) for key, inner in schema.get("properties", {}).items()}
        return {key: value for key, value in fields.items() if value is not None}
    return _draw_schema_text(name, schema, draw)


def _draw_schema_number(schema: Mapping[str, Any], usual: float, draw: Random) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 1))
    high = schema.get("maximum", schema.get("exclusiveMaximum", max(low, 1) * 20))
    step = schema.get("multipleOf", usual)
    # Work in multiples of the step: an exclusive bound that is itself a multiple must be skipped.
    first = int(-(-low // step)) + ("exclusiveMinimum" in schema and low % step == 0)
    last = max(int(high // step) - ("exclusiveMaximum" in schema and high % step == 0), first)
    value = draw.randint(first, last) * step
    return int(value) if value == int(value) else round(float(value), 6)


def _draw_schema_array(name: str, schema: Mapping[str, Any], draw: Random) -> list[Any] | None:
    min_items = schema.get("minItems", 1)
    size = draw.randint(min_items, max(min(schema.get("maxItems", min_items + 1), min_items + 2), min_items))
    singular = name[:-1] if name.endswith("s") else name
    # Draw three times as many as needed, since duplicates and nested values are dropped.
    values = [draw_schema_value(singular, schema.get("items", {}), draw) for _ in range(size * 3)]
    plain = [value for value in values if value is not None and not isinstance(value, dict | list)]
    return list(dict.fromkeys(plain))[:size] or None


def _draw_schema_text(name: str, schema: Mapping[str, Any], draw: Random) -> str | None:
    day = FIRST_DATE + timedelta(days=draw.randrange(700))
    # Every format draws, used or not, so that the random stream does not depend on the schema's format.
    formats = {
        "date": day.isoformat(), "time": f"{draw.randint(6, 22):02}:{draw.choice(('00', '15', '30'))}",
        "date-time": f"{day.isoformat()}T{draw.randint(6, 22):02}:00:00", "email": draw.choice(COMMON_VALUES["email"]),
        "uri": draw.choice(COMMON_VALUES["url"]), "uuid": "".join(draw.choices("0123456789abcdef", k=32)),
    }
    if schema.get("format") in formats:
        return formats[schema["format"]]
    match = EXAMPLE_PATTERN.search(str(schema.get("description", "")))
    listed = match.group(1) if match else ""
    # "San Francisco, CA" is one example, "'a', 'b'" and "a or b" are two.
    examples = re.findall(r"['\"`“]([^'\"`”]+)['\"`”]", listed)
    examples = examples or [part.strip() for part in re.split(r"\s+or\s+|;\s*", listed) if part.strip()]
    if "pattern" in schema or len(examples) > 1:
        return draw.choice(examples) if examples else None
    words = re.split(r"[_\W]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
    if "date" in words or "day" in words:
        return day.isoformat()
    common = next((COMMON_VALUES[word] for word in reversed(words) if word in COMMON_VALUES), ())
    return draw.choice([*examples, *common]) if examples or common else schema.get("default")
