"""Checks that a rewording keeps the facts of its text: numbers, names, and similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.api import RowsJob, normalise
from factory_synth.text_features import WORD_PATTERN, extract_capitalised_words, extract_figures, has_phrase

WORD_NUMBERS = {
    "zero": "0", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12",
}
"""Number words and their digits; without `one`, which is as often a pronoun."""

MAX_LENGTH_RATIO = 2.5
"""How many times longer or shorter than the text a rewording may be."""


def extract_numbers(text: str) -> frozenset[str]:
    """Extract the numbers of a text, in digits or (up to twelve) in words, without 1 and `one`."""
    words = (WORD_NUMBERS[word] for word in WORD_PATTERN.findall(text.casefold()) if word in WORD_NUMBERS)
    return (extract_figures(text) | frozenset(words)) - {"1"}


def describe_changed_facts(text: str, new: str, ignored_names: Sequence[str] = (), check_names: bool = True) -> str:
    """Describe a number or name that a rewording lost or added; empty if it keeps the facts.

    A name is a capitalised word inside a sentence. `ignored_names` may be lost or added.
    """
    if extract_numbers(text) - extract_numbers(new):
        return "loses a number"
    if extract_numbers(new) - extract_numbers(text):
        return "adds a number"
    if not check_names:
        return ""
    if any(name not in ignored_names and not has_phrase(new, name) for name in extract_capitalised_words(text)):
        return "loses a name"
    return describe_added_facts(text, new, ignored_names)


def describe_added_facts(text: str, new: str, ignored_names: Sequence[str] = ()) -> str:
    """Describe a number or name that a rewording adds; empty if it adds none."""
    if extract_numbers(new) - extract_numbers(text):
        return "adds a number"
    names = extract_capitalised_words(new)
    return "adds a name" if any(name not in ignored_names and not has_phrase(text, name) for name in names) else ""


def compute_trigram_similarity(text: str, new: str) -> float:
    """Compute the Jaccard similarity of the character trigrams of two normalised texts, 0 to 1."""
    padded = (f" {normalise(value)} " for value in (text, new))
    trigrams, new_trigrams = ({value[i : i + 3] for i in range(max(len(value) - 2, 1))} for value in padded)
    return len(trigrams & new_trigrams) / len(trigrams | new_trigrams)


def compute_pair_cosines(job: RowsJob, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Compute the cosine of each pair of texts, with the spec's embedder."""
    if not pairs:
        return []
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    vectors: Any = job.kit.embed(job.models["embedder"], texts, report=job.report)
    index = {text: position for position, text in enumerate(texts)}
    return [round(float(vectors[index[first]] @ vectors[index[second]]), 4) for first, second in pairs]
