"""Identifiers as English: `order_date` is "order date", a row of `Customers` is a "customer"."""

from __future__ import annotations

import re

IDENTIFIER_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
WORD_PATTERN = re.compile(r"[^\W_]+")
IRREGULAR_PLURALS = {
    "person": "people", "child": "children", "man": "men", "woman": "women", "staff": "staff", "mouse": "mice",
}
IRREGULAR_SINGULARS = {plural: singular for singular, plural in IRREGULAR_PLURALS.items()}
INVARIABLE_ENDINGS = ("ss", "us", "is", "news", "series", "species")


def split_identifier(name: str) -> list[str]:
    """Split an identifier into lower-case words: `OrderDate`, `order_date` and `ORDER DATE` give the same two."""
    return [part.lower() for part in IDENTIFIER_PART.findall(name)] or [name.lower()]


def quote_identifier(name: str) -> str:
    """Put a name in double quotes, as SQL writes an identifier of any form."""
    return '"' + name.replace('"', '""') + '"'


def singularise_word(word: str) -> str:
    """Return the singular of an English noun; a singular stays as it is."""
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
    """Return the plural of an English noun; a plural stays as it is."""
    singular = singularise_word(word)
    if singular in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[singular]
    if singular.endswith(("news", "series", "species")):
        return singular
    if singular.endswith("y") and singular[-2:-1] not in "aeiou":
        return singular[:-1] + "ies"
    if singular.endswith(("s", "x", "ch", "sh", "z")):
        return singular + "es"
    return singular + "s"


def verbalise_identifier(name: str, last: str = "") -> str:
    """Write an identifier as words; `last` makes its last word singular (`one`) or plural (`many`)."""
    words = split_identifier(name)
    if last:
        words[-1] = singularise_word(words[-1]) if last == "one" else pluralise_word(words[-1])
    return " ".join(words)


def singularise_words(text: str) -> list[str]:
    """Split a text into lower-case words in the singular, for comparison."""
    return [singularise_word(word.lower()) for word in WORD_PATTERN.findall(text)]
