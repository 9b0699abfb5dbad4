"""Names as people say them: `order_date` is an order date, `Customers` are customers, one of them a customer."""

from __future__ import annotations

import re

PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
WORD = re.compile(r"[^\W_]+")
IRREGULAR = {"person": "people", "child": "children", "man": "men", "woman": "women", "staff": "staff", "mouse": "mice"}
SINGULARS = {many: one for one, many in IRREGULAR.items()}
KEEP = ("ss", "us", "is", "news", "series", "species")


def words(name: str) -> list[str]:
    """The words of an identifier, in small letters: `OrderDate`, `order_date` and `ORDER DATE` have the same two."""
    return [part.lower() for part in PARTS.findall(name)] or [name.lower()]


def singular(word: str) -> str:
    """One of them; a word that already is one stays."""
    if word in SINGULARS:
        return SINGULARS[word]
    if len(word) < 4 or word.endswith(KEEP) or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1]


def plural(word: str) -> str:
    """Many of them; a word that already is many stays."""
    one = singular(word)
    if one in IRREGULAR:
        return IRREGULAR[one]
    if one.endswith(("news", "series", "species")):
        return one
    if one.endswith("y") and one[-2:-1] not in "aeiou":
        return one[:-1] + "ies"
    if one.endswith(("s", "x", "ch", "sh", "z")):
        return one + "es"
    return one + "s"


def said(name: str, last: str = "") -> str:
    """An identifier in words; `last` says whether its last word is to be `one` or `many`."""
    parts = words(name)
    if last:
        parts[-1] = singular(parts[-1]) if last == "one" else plural(parts[-1])
    return " ".join(parts)


def stems(text: str) -> list[str]:
    """The words of a text, in small letters and in the singular, for comparing."""
    return [singular(part.lower()) for part in WORD.findall(text)]
