"""Sentences, figures, names and content words of English texts, by rules and without a model."""

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
    """Split a text into sentences; a full stop after an abbreviation or initial does not end one."""
    sentences: list[str] = []
    for part in SENTENCE_END.split(text.strip()):
        if sentences and ABBREVIATION.search(sentences[-1]):
            sentences[-1] = f"{sentences[-1]} {part}"
        else:
            sentences.append(part)
    return [sentence for sentence in sentences if sentence.strip()]


def extract_figures(text: str) -> frozenset[str]:
    """Extract the numbers written in digits, as written but without thousands separators."""
    return frozenset(re.sub(r",(?=\d{3}\b)", "", figure) for figure in FIGURE_PATTERN.findall(text))


def extract_capitalised_words(text: str) -> list[str]:
    """Extract capitalised words that do not start a sentence, in order."""
    words = []
    for sentence in split_sentences(text):
        start = len(sentence) - len(sentence.lstrip("\"'([ "))
        for match in NAME_PATTERN.finditer(sentence):
            word = match.group().removesuffix("'s").removesuffix("’s")
            if word[0].isupper() and word != "I" and (match.start() > start or word[1:] != word[1:].lower()):
                words.append(word)
    return words


def stem_word(word: str) -> str:
    """Lower-case a word and strip a common English suffix: enough to match forms of one word."""
    word = word.casefold()
    for suffix in STEM_SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word


def extract_content_stems(text: str) -> frozenset[str]:
    """Extract the stems of all words that are not stop words."""
    return frozenset(stem_word(word) for word in WORD_PATTERN.findall(text) if word.casefold() not in STOP_WORDS)


def compute_stem_coverage(stems: Iterable[str], text: str) -> float:
    """Compute the share of stems that a text contains; 1 for no stems."""
    expected, present = set(stems), extract_content_stems(text)
    return len(expected & present) / len(expected) if expected else 1.0


def has_phrase(text: str, phrase: str) -> bool:
    """Return whether a text contains a phrase as whole words, ignoring case."""
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None
