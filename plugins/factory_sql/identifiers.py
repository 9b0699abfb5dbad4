"""Names as people say them: `order_date` is an order date, `Customers` are customers, one of them a customer."""

from __future__ import annotations

import re

IDENTIFIER_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
WORD_PATTERN = re.compile(r"[^\W_]+")
IRREGULAR_PLURALS = {"person": "people", "child": "children", "man": "men", "woman": "women", "staff": "staff", "mouse": "mice"}
IRREGULAR_SINGULARS = {many: one for one, many in IRREGULAR_PLURALS.items()}
INVARIABLE_ENDINGS = ("ss", "us", "is", "news", "series", "species")


def split_identifier(name: str) -> list[str]:
    """The words of an identifier, in small letters: `OrderDate`, `order_date` and `ORDER DATE` have the same two."""
    return [part.lower() for part in IDENTIFIER_PART.findall(name)] or [name.lower()]


def singularise_word(word: str) -> str:
    """One of them; a word that already is one stays."""
    if word in IRREGULAR_SINGULARS:
        return IRREGULAR_SINGULARS[word]
    if len(word) < 4 or word.endswith(INVARIABLE_ENDINGS) or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1]


def pluralise_word(word: str) -> str:
    """Many of them; a word that already is many stays."""
    one = singularise_word(word)
    if one in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[one]
    if one.endswith(("news", "series", "species")):
        return one
    if one.endswith("y") and one[-2:-1] not in "aeiou":
        return one[:-1] + "ies"
    if one.endswith(("s", "x", "ch", "sh", "z")):
        return one + "es"
    return one + "s"


def verbalise_identifier(name: str, last: str = "") -> str:
    """An identifier in words; `last` says whether its last word is to be `one` or `many`."""
    parts = split_identifier(name)
    if last:
        parts[-1] = singularise_word(parts[-1]) if last == "one" else pluralise_word(parts[-1])
    return " ".join(parts)


def singularise_words(text: str) -> list[str]:
    """The words of a text, in small letters and in the singular, for comparing."""
    return [singularise_word(part.lower()) for part in WORD_PATTERN.findall(text)]
