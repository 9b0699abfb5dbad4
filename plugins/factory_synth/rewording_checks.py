"""Whether a text that was reworded still says the same: its figures, its names, and how near it is by its letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.api import RowsJob, normalise
from factory_synth.text_features import WORD_PATTERN, extract_capitalised_words, extract_figures, has_phrase

WORD_NUMBERS = {
    word: str(number) for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    ) if word != "one"
}
"""Numbers in words, as figures; `one` is as often a pronoun."""

TRIGRAM_LENGTH = 3
MAX_LENGTH_RATIO = 2.5
"""How many times longer or shorter a rewording may be."""


def extract_numbers(text: str) -> frozenset[str]:
    """The numbers of a text, whether in digits or, up to twelve, in words. A lone 1 is left out, as `one` is."""
    words = (WORD_NUMBERS[word] for word in WORD_PATTERN.findall(text.casefold()) if word in WORD_NUMBERS)
    return (extract_figures(text) | frozenset(words)) - {"1"}


def describe_changed_facts(text: str, new: str, ours: Sequence[str] = (), named: bool = True) -> str:
    """What a rewording lost or added, in words; nothing when it keeps the facts.

    `ours` are names of no account; without `named` no name is. A name is a word with a capital within a sentence.
    """
    if extract_numbers(text) - extract_numbers(new):
        return "lose a number"
    if extract_numbers(new) - extract_numbers(text):
        return "add a number"
    if named and any(name not in ours and not has_phrase(new, name) for name in extract_capitalised_words(text)):
        return "lose a name"
    return describe_added_facts(text, new, ours) if named else ""


def describe_added_facts(text: str, new: str, ours: Sequence[str] = ()) -> str:
    """What a rewording brought in, in words: a number or a name that the text does not have."""
    if extract_numbers(new) - extract_numbers(text):
        return "add a number"
    return "add a name" if any(name not in ours and not has_phrase(text, name) for name in extract_capitalised_words(new)) else ""


def compute_trigram_similarity(text: str, new: str) -> float:
    """Jaccard similarity of the character trigrams of two texts' normal forms: 0 nothing shared, 1 the same."""
    mine, theirs = (_extract_trigrams(normalise(each)) for each in (text, new))
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else 1.0


def compute_pair_cosines(job: RowsJob, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """The cosine of the embeddings of each pair of texts, by the spec's embedder."""
    if not pairs:
        return []
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    vectors: Any = job.kit.embed(job.models["embedder"], texts, report=job.report)
    at = {text: place for place, text in enumerate(texts)}
    return [round(float(vectors[at[one]] @ vectors[at[other]]), 4) for one, other in pairs]


def _extract_trigrams(normal: str) -> frozenset[str]:
    marked = f" {normal} "
    return frozenset(marked[i : i + TRIGRAM_LENGTH] for i in range(max(len(marked) - TRIGRAM_LENGTH + 1, 1)))
