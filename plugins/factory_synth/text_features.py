"""What is read out of a text: its sentences, figures, names and content words. Rules for English, no model."""

from __future__ import annotations

import re
from collections.abc import Iterable

SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|etc|al|Fig|No|e\.g|i\.e|approx|ca)|\b[A-Z])\.$")
FIGURE_PATTERN = re.compile(r"\d+(?:[.,:/]\d+)*")
NAME_PATTERN = re.compile(r"[^\W\d_][\w&'’-]*")
WORD_PATTERN = re.compile(r"\w+(?:['’-]\w+)*")
STOP_WORDS = frozenset(WORD_PATTERN.findall("""
a about after all also am an and any are as at be been before being between both but by can could did do does doing
during each for from further had has have having he her here hers him his how i if in into is it its itself just may me
might more most must my no nor not of off on once only or other our out over own same shall she should so some such than
that the their them then there these they this those through to too under until up very was we were what when where
which while who whom whose why will with would you your yes
"""))
STEM_SUFFIXES = ("ingly", "edly", "ation", "ing", "ies", "ed", "es", "ly", "s")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text; a full stop after a short form or an initial ends none."""
    parts = SENTENCE_END.split(text.strip())
    whole: list[str] = []
    for part in parts:
        if whole and ABBREVIATION.search(whole[-1]):
            whole[-1] = f"{whole[-1]} {part}"
        else:
            whole.append(part)
    return [part for part in whole if part.strip()]


def extract_figures(text: str) -> frozenset[str]:
    """The numbers that stand in a text in digits, as they are written but for commas between thousands."""
    return frozenset(re.sub(r",(?=\d{3}\b)", "", found) for found in FIGURE_PATTERN.findall(text))


def extract_capitalised_words(text: str) -> list[str]:
    """The words of a text that are written with a capital and begin no sentence, in order."""
    found = []
    for sentence in split_sentences(text):
        start = len(sentence) - len(sentence.lstrip("\"'([ "))
        for match in NAME_PATTERN.finditer(sentence):
            word = match.group().removesuffix("'s").removesuffix("’s")
            if word[0].isupper() and word != "I" and (match.start() > start or word[1:] != word[1:].lower()):
                found.append(word)
    return found


def stem_word(word: str) -> str:
    """A word in lower case without the commonest English ending: enough to see that two words are one."""
    word = word.casefold()
    for ending in STEM_SUFFIXES:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def extract_content_stems(text: str) -> frozenset[str]:
    """The stems of the words that carry meaning."""
    return frozenset(stem_word(word) for word in WORD_PATTERN.findall(text) if word.casefold() not in STOP_WORDS)


def compute_stem_coverage(wanted: Iterable[str], text: str) -> float:
    """How many of these stems a text has, as a share; 1 when none is wanted."""
    stems, there = set(wanted), extract_content_stems(text)
    return len(stems & there) / len(stems) if stems else 1.0


def has_phrase(text: str, phrase: str) -> bool:
    """Whether a phrase stands in a text as whole words, in any case."""
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None
