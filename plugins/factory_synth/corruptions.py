"""Rules that corrupt a supported claim or its evidence, so that the evidence no longer supports the claim."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal

from factory_synth.entity_names import DAYS, MONTHS, PLACE_PREPOSITIONS, EntityIndex, find_entities
from factory_synth.text_features import compute_stem_coverage, extract_content_stems, has_phrase, split_sentences

CorruptionKind = Literal["entity", "number", "date", "negation", "drop"]

NUMBER_WORDS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NUMBER_PATTERN = re.compile(r"(?<![\w.,/:-])\d{1,3}(?:,\d{3})+(?![\w/])|(?<![\w.,/:-])\d+(?:\.\d+)?(?![\w/:-]|[.,]\d)")
NUMBER_WORD_PATTERN = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)
DATE_PATTERN = re.compile(
    rf"\b(?:{'|'.join(DAYS)})\b|(?<=\d )(?:{'|'.join(MONTHS)})\b|\b(?:{'|'.join(MONTHS)})(?= \d)"
    rf"|(?<=\b[Ii]n )(?:{'|'.join(MONTHS)})\b|(?<![\w.,/:-])(?:1[5-9]|20)\d\d(?![\w/:%-]|[.,]\d)"
)
MIN_NUMBER_CHANGE = 0.2
"""Minimum relative change of a number; a smaller one could be rounding."""

BOUND_PREFIX = re.compile(
    r"\b(?:since|until|till|before|after|by|from|between|least|most|than|over|under|above|below|to|within|nearly|almost)"
    r"(?: the| a| an)? $|\d ?(?:to|and|or|[-–—]) ?$", re.IGNORECASE,
)
"""Text before a value that only bounds another: true since 1970 implies true since 1976, over 5 % implies over 3 %."""

BOUND_SUFFIX = re.compile(
    r"\+| ?(?:to|and|[-–—]) ?\d| or (?:older|younger|more|less|fewer|above|below|over|under|higher|lower)\b"
)
NUMBERED_KIND = re.compile(
    r"\b(type|grade|stage|phase|level|class|version|chapter|section|part|group|number|no\.?) $", re.I
)

PERCENT_PATTERN = re.compile(r" ?(?:%|per ?cent)")

SAME_MATTER_COVERAGE = 0.5
"""Share of a claim's other content words from which a sentence counts as about the same matter."""


@dataclass(frozen=True, slots=True)
class ClaimCorruption:
    """A claim with evidence that does not support it, and the text that was replaced."""

    kind: CorruptionKind
    claim: str
    evidence: str
    original: str
    replacement: str


def swap_entity(claim: str, evidence: str, known: EntityIndex, draw: Random) -> ClaimCorruption | None:
    """Replace a name that the evidence has by another name, preferably from the evidence.

    A place is replaced by one from outside the evidence: of two places in one text, one may contain the other.
    """
    spots = [(at, name) for at, name in find_entities(claim) if has_phrase(evidence, name)]
    for at, name in draw.sample(spots, len(spots)):
        others = [other for other in known.find_replacements(claim, at, name) if not has_phrase(claim, other)]
        others = draw.sample(others, len(others))
        if claim[:at].rstrip().rpartition(" ")[2].lower() in PLACE_PREPOSITIONS:
            others = [other for other in others if not has_phrase(evidence, other)]
        for other in sorted(others, key=lambda other: not has_phrase(evidence, other)):
            if not is_still_supported(claim, evidence, name, other):
                return ClaimCorruption("entity", _replace_at_offset(claim, at, name, other), evidence, name, other)
    return None


def change_number(claim: str, evidence: str, known: EntityIndex, draw: Random) -> ClaimCorruption | None:
    """Change a figure, or raise a count in words: what holds for five also holds for two."""
    def draw_numbers(at: int, was: str) -> list[str]:
        if was.lower() not in NUMBER_WORDS:
            return _draw_other_figures(claim, at, was, evidence, draw)
        greater = NUMBER_WORDS[NUMBER_WORDS.index(was.lower()) + 1 :][:4]
        return draw.sample(greater, len(greater))

    matches = [match for match in NUMBER_PATTERN.finditer(claim) if not DATE_PATTERN.match(claim, match.start())]
    matches += NUMBER_WORD_PATTERN.finditer(claim)
    return _replace_value("number", claim, evidence, matches, draw_numbers, draw)


def change_date(claim: str, evidence: str, known: EntityIndex, draw: Random) -> ClaimCorruption | None:
    """Change a year, month or weekday."""
    def draw_dates(at: int, was: str) -> list[str]:
        for names in (MONTHS, DAYS):
            if was in names:
                return draw.sample([name for name in names if name != was], 4)
        return [str(int(was) + step) for step in draw.sample([-9, -6, -4, -3, -2, 2, 3, 4, 6, 9], 5)]

    return _replace_value("date", claim, evidence, DATE_PATTERN.finditer(claim), draw_dates, draw)


def drop_evidence(claim: str, evidence: str, known: EntityIndex, draw: Random) -> ClaimCorruption | None:
    """Remove the sentences about the claim's matter from the evidence, leaving at least two.

    None if the rest still covers most of the claim's words, or if too much would be removed. Not for questions: the
    sentence most like a question often asks it too ("the aim was to…") without answering it.
    """
    if claim.rstrip().endswith("?"):
        return None
    stems, sentences = extract_content_stems(claim), split_sentences(evidence)
    shares = [compute_stem_coverage(stems, sentence) for sentence in sentences]
    if len(stems) < 3 or not shares or max(shares) < SAME_MATTER_COVERAGE:
        return None
    # Relative to the best sentence: paraphrases of the support must go as well.
    limit = SAME_MATTER_COVERAGE * max(shares)
    removed = [sentence for sentence, share in zip(sentences, shares, strict=True) if share >= limit]
    rest = " ".join(sentence for sentence in sentences if sentence not in removed)
    if len(removed) > max(1, len(sentences) // 3) or len(sentences) - len(removed) < 2:
        return None
    if compute_stem_coverage(stems, rest) > SAME_MATTER_COVERAGE:
        return None
    return ClaimCorruption("drop", claim, rest, " ".join(removed), "")


def is_still_supported(claim: str, evidence: str, was: str, now: str) -> bool:
    """Return whether a sentence of the evidence has the new value beside half of the claim's other content words."""
    others = extract_content_stems(claim) - extract_content_stems(was)
    return any(
        has_phrase(sentence, now) and compute_stem_coverage(others, sentence) >= SAME_MATTER_COVERAGE
        for sentence in split_sentences(evidence)
    )


def _replace_value(
    kind: CorruptionKind, claim: str, evidence: str, matches: Iterable[re.Match[str]],
    draw_values: Callable[[int, str], list[str]], draw: Random,
) -> ClaimCorruption | None:
    """Replace a value that the evidence has, and that bounds no other, by one of `draw_values(offset, value)`."""
    spots = [
        (match.start(), match.group()) for match in matches
        if has_phrase(evidence, match.group())
        and not BOUND_PREFIX.search(claim[: match.start()]) and not BOUND_SUFFIX.match(claim[match.end() :])
    ]
    for at, was in draw.sample(spots, len(spots)):
        for now in draw_values(at, was):
            if not has_phrase(claim, now) and not is_still_supported(claim, evidence, was, now):
                return ClaimCorruption(kind, _replace_at_offset(claim, at, was, now), evidence, was, now)
    return None


def _replace_at_offset(text: str, at: int, was: str, now: str) -> str:
    if was[0].isupper() and not now[0].isupper():
        now = now[0].upper() + now[1:]
    return text[:at] + now + text[at + len(was) :]


def _draw_other_figures(claim: str, at: int, was: str, evidence: str, draw: Random) -> list[str]:
    """Draw figures of the same format: those of the evidence first, then scaled ones; no share above 100 %.

    A number that names a kind ("type 2") is only replaced by another such number of the evidence.
    """
    if kind := NUMBERED_KIND.search(claim[:at]):
        others = re.findall(rf"\b{kind.group(1)} (\d+)\b", evidence, re.IGNORECASE)
        return [other for other in dict.fromkeys(others) if other != was]
    value, (decimals, grouped) = _parse_figure(was), _get_figure_format(was)
    figures = [figure for figure in dict.fromkeys(NUMBER_PATTERN.findall(evidence))
               if _get_figure_format(figure) == (decimals, grouped) and value / 4 < _parse_figure(figure) < 4 * value]
    scaled = [value * factor for factor in draw.sample([0.25, 0.5, 0.7, 1.4, 2.0, 3.0], 6)]
    generated = [f"{number:,.{decimals}f}" if grouped else f"{number:.{decimals}f}" for number in scaled]
    maximum = 100 if PERCENT_PATTERN.match(claim[at + len(was) :]) else float("inf")
    min_change = MIN_NUMBER_CHANGE * max(value, 1)
    return [figure for figure in [*draw.sample(figures, len(figures)), *generated]
            if abs(_parse_figure(figure) - value) > min_change and _parse_figure(figure) <= maximum]


def _parse_figure(figure: str) -> float:
    return float(figure.replace(",", ""))


def _get_figure_format(figure: str) -> tuple[int, bool]:
    """Return the number of decimals, and whether thousands are separated."""
    return len(figure.partition(".")[2]), "," in figure
