"""Ways to make a supported claim false by its structure alone: each finds the places, and what may stand there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

from factory_synth.names import DAYS, MONTHS, PLACING, Names, entities
from factory_synth.texts import content, coverage, holds, sentences

Kind = Literal["entity", "number", "date", "negation", "drop"]

COUNTS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NUMBER = re.compile(r"(?<![\w.,/:-])\d{1,3}(?:,\d{3})+(?![\w/])|(?<![\w.,/:-])\d+(?:\.\d+)?(?![\w/:-]|[.,]\d)")
COUNT = re.compile(rf"\b(?:{'|'.join(COUNTS)})\b", re.IGNORECASE)
DATE = re.compile(
    rf"\b(?:{'|'.join(DAYS)})\b|(?<=\d )(?:{'|'.join(MONTHS)})\b|\b(?:{'|'.join(MONTHS)})(?= \d)"
    rf"|(?<=\b[Ii]n )(?:{'|'.join(MONTHS)})\b|(?<![\w.,/:-])(?:1[5-9]|20)\d\d(?![\w/:%-]|[.,]\d)"
)
APART = 0.2
"""By how much of itself a number is changed at least: less could be called rounding."""

BOUND = re.compile(
    r"\b(?:since|until|till|before|after|by|from|between|least|most|than|over|under|above|below|to|within|nearly|almost)"
    r"(?: the| a| an)? $|\d ?(?:to|and|or|[-–—]) ?$", re.IGNORECASE,
)
"""Before a value that only bounds another: what is so since 1970 is so since 1976, and over 5 % is over 3 %."""

OR_MORE = re.compile(
    r"\+| ?(?:to|and|[-–—]) ?\d| or (?:older|younger|more|less|fewer|above|below|over|under|higher|lower)\b"
)
SORT = re.compile(r"\b(type|grade|stage|phase|level|class|version|chapter|section|part|group|number|no\.?) $", re.I)

PERCENT = re.compile(r" ?(?:%|per ?cent)")

HALF = 0.5
"""A sentence with this share of a claim's other content words speaks of the same matter."""


@dataclass(frozen=True, slots=True)
class Corrupted:
    """A claim and evidence that does not support it, what was changed, and into what."""

    kind: Kind
    claim: str
    evidence: str
    was: str
    now: str


def entity(claim: str, evidence: str, known: Names, draw: Random) -> Corrupted | None:
    """Another name in the place of one that the evidence has, one of the evidence first.

    A place is swapped for one from elsewhere: of two places in one text, one may lie in the other.
    """
    places = [(at, name) for at, name in entities(claim) if holds(evidence, name)]
    for at, name in draw.sample(places, len(places)):
        others = [other for other in known.like(claim, at, name) if not holds(claim, other)]
        others = draw.sample(others, len(others))
        if claim[:at].rstrip().rpartition(" ")[2].lower() in PLACING:
            others = [other for other in others if not holds(evidence, other)]
        for other in sorted(others, key=lambda other: not holds(evidence, other)):
            if not still_supported(claim, evidence, name, other):
                return Corrupted("entity", _put(claim, at, name, other), evidence, name, other)
    return None


def number(claim: str, evidence: str, known: Names, draw: Random) -> Corrupted | None:
    """Another figure, or a greater count in words: what holds of five holds of two, so no smaller one."""
    places = [(m.start(), m.group()) for m in NUMBER.finditer(claim) if not DATE.match(claim, m.start())]
    places += [(m.start(), m.group()) for m in COUNT.finditer(claim)]
    places = [(at, was) for at, was in places if holds(evidence, was) and not _bounded(claim, at, was)]
    for at, was in draw.sample(places, len(places)):
        for now in _counts(was, draw) if was.lower() in COUNTS else _numbers(claim, at, was, evidence, draw):
            if not holds(claim, now) and not still_supported(claim, evidence, was, now):
                return Corrupted("number", _put(claim, at, was, now), evidence, was, now)
    return None


def date(claim: str, evidence: str, known: Names, draw: Random) -> Corrupted | None:
    """Another year, month or weekday."""
    places = [(m.start(), m.group()) for m in DATE.finditer(claim)]
    places = [(at, was) for at, was in places if holds(evidence, was) and not _bounded(claim, at, was)]
    for at, was in draw.sample(places, len(places)):
        for now in _dates(was, draw):
            if not holds(claim, now) and not still_supported(claim, evidence, was, now):
                return Corrupted("date", _put(claim, at, was, now), evidence, was, now)
    return None


def drop(claim: str, evidence: str, known: Names, draw: Random) -> Corrupted | None:
    """The evidence without the sentences that speak of the claim's matter; two sentences at least must be left.

    Refused when what is left still has most of the claim's words between its sentences, or too little is lost. Not
    for questions: the sentence that is most like one asks it too ("the aim was to…"), and does not answer it.
    """
    if claim.rstrip().endswith("?"):
        return None
    wanted, parts = content(claim), sentences(evidence)
    shares = [coverage(wanted, part) for part in parts]
    if len(wanted) < 3 or not shares or max(shares) < HALF:
        return None
    gone = [part for part, share in zip(parts, shares, strict=True) if share >= HALF * max(shares)]
    left = " ".join(part for part in parts if part not in gone)
    if len(gone) > max(1, len(parts) // 3) or len(parts) - len(gone) < 2 or coverage(wanted, left) > HALF:
        return None
    return Corrupted("drop", claim, left, " ".join(gone), "")


def still_supported(claim: str, evidence: str, was: str, now: str) -> bool:
    """Whether a sentence of the evidence has the new value beside half of the claim's other content words."""
    others = content(claim) - content(was)
    return any(
        holds(part, now) and coverage(others, part) >= HALF for part in sentences(evidence)
    )


def _put(text: str, at: int, was: str, now: str) -> str:
    if was[0].isupper() and not now[0].isupper():
        now = now[0].upper() + now[1:]
    return text[:at] + now + text[at + len(was) :]


def _counts(was: str, draw: Random) -> list[str]:
    greater = COUNTS[COUNTS.index(was.lower()) + 1 :][:4]
    return draw.sample(greater, len(greater))


def _bounded(claim: str, at: int, was: str) -> bool:
    return bool(BOUND.search(claim[:at]) or OR_MORE.match(claim[at + len(was) :]))


def _numbers(claim: str, at: int, was: str, evidence: str, draw: Random) -> list[str]:
    """Figures of the same form: those of the evidence first, then ones near by size; no share above 100 %.

    What numbers a sort ("type 2") is changed only into another of that sort that the evidence has.
    """
    if sort := SORT.search(claim[:at]):
        others = re.findall(rf"\b{sort.group(1)} (\d+)\b", evidence, re.IGNORECASE)
        return [other for other in dict.fromkeys(others) if other != was]
    value, form = _value(was), _form(was)
    alike = [each for each in dict.fromkeys(NUMBER.findall(evidence)) if _form(each) == form]
    far = [each for each in alike if value / 4 < _value(each) < 4 * value]
    scaled = [value * factor for factor in draw.sample([0.25, 0.5, 0.7, 1.4, 2.0, 3.0], 6)]
    near = [f"{each:,.{form[0]}f}" if form[1] else f"{each:.{form[0]}f}" for each in scaled]
    most = 100 if PERCENT.match(claim[at + len(was) :]) else float("inf")
    found = [*draw.sample(far, len(far)), *near]
    return [each for each in found if abs(_value(each) - value) > APART * max(value, 1) and _value(each) <= most]


def _value(figure: str) -> float:
    return float(figure.replace(",", ""))


def _form(figure: str) -> tuple[int, bool]:
    """Places behind the point, and whether thousands are set apart."""
    return len(figure.partition(".")[2]), "," in figure


def _dates(was: str, draw: Random) -> list[str]:
    for names in (MONTHS, DAYS):
        if was in names:
            return draw.sample([name for name in names if name != was], 4)
    return [str(int(was) + step) for step in draw.sample([-9, -6, -4, -3, -2, 2, 3, 4, 6, 9], 5)]
