"""Negating an English claim, or taking its negation away, where that surely turns its truth over; else nothing."""

from __future__ import annotations

import re
from random import Random

from factory_synth.corruptions import ClaimCorruption
from factory_synth.entity_names import EntityIndex

AUXILIARY_VERB = re.compile(
    r"\b(is|are|was|were|will|would|does|do|did|can|should|must)\b(?! (?:not|n't|no|neither|only|either|also)\b)"
)
PERFECT_TENSE = re.compile(
    r"\b(has|have|had) (?=(?:been|become|\w+ed|shown|found|given|taken|made|won|led|grown|risen|fallen)\b)"
)
NEGATED_VERB = re.compile(r"\b(is|are|was|were|will|would|does|do|did|can|could|should|has|have|had) ?(?:not|n['’]t)\b ")
CANNOT = re.compile(r"\bcannot\b")
THERE_IS_NO = re.compile(r"^There (is|was) no (?=([a-z]))")
THERE_ARE_NO = re.compile(r"^There (are|were) no ")
NO_SUBJECT = re.compile(r"^No (?=[a-z])")
NEGATIVE_PRONOUNS = {"Nobody": "Somebody", "No one": "Someone", "Nothing": "Something"}
UNSURE_SCOPE = re.compile(
    r"\b(?:all|every|each|both|some|most|many|few|several|any|less|fewer|none|nothing|nobody|no one|only|just|may"
    r"|might|could|if|unless|whether|because|although|though|but|or|never|hardly|rarely|neither|nor|without|except|instead)\b|\?\s*$|[\[\]…;]"
    r"|^\W*(?:while|since|when|as|despite|given|gone)\b|(?<!^)\bthere (?:is|are|was|were|has|have|will)\b",
    re.IGNORECASE,
)
CLAUSE_START = re.compile(r"\b(?:who|which|that|whose|where|when|while)\b|,")


def negate_claim(claim: str, evidence: str, known: EntityIndex, draw: Random) -> ClaimCorruption | None:
    """The claim with its first main verb negated, or with its one negation gone.

    Nothing where the scope is in doubt: questions, quantifiers ("all birds can not fly"), possibilities ("may not"
    goes with "may"), conditions, and verbs inside a clause of their own.
    """
    for turned, was, now in (_remove_negation(claim), _insert_negation(claim)):
        if turned:
            return ClaimCorruption("negation", turned, evidence, was, now)
    return None


def _remove_negation(claim: str) -> tuple[str, str, str]:
    if found := THERE_IS_NO.match(claim):
        article = "an" if found.group(2) in "aeiou" else "a"
        return f"There {found.group(1)} {article} {claim[found.end():]}", "no", article
    if found := THERE_ARE_NO.match(claim):
        return f"There {found.group(1)} some {claim[found.end():]}", "no", "some"
    for no, some in NEGATIVE_PRONOUNS.items():
        if claim.startswith(f"{no} "):
            return f"{some}{claim[len(no):]}", no, some
    if NO_SUBJECT.match(claim):
        return f"Some {claim[3:]}", "No", "Some"
    if UNSURE_SCOPE.search(claim) or CLAUSE_START.search(claim):
        return "", "", ""
    if CANNOT.search(claim):
        return CANNOT.sub("can", claim, count=1), "cannot", "can"
    found = NEGATED_VERB.search(claim)
    if found and found.group(1) not in ("does", "do", "did"):
        verb = found.group(1)
        return f"{claim[: found.start()]}{verb} {claim[found.end() :]}", found.group().strip(), verb
    return "", "", ""


def _insert_negation(claim: str) -> tuple[str, str, str]:
    if UNSURE_SCOPE.search(claim) or NEGATED_VERB.search(claim) or CANNOT.search(claim) or re.search(r"\bno\b", claim, re.IGNORECASE):
        return "", "", ""
    places = [found for found in (AUXILIARY_VERB.search(claim), PERFECT_TENSE.search(claim)) if found]
    first = min(places, key=lambda found: found.start(), default=None)
    if first is None or not first.start() or CLAUSE_START.search(claim[: first.start()]):
        return "", "", ""
    verb = first.group(1)
    after = claim[first.end(1) :]
    if article := re.match(r" an? (?=\w)", after) if claim.startswith("There ") else None:
        return f"{claim[: first.end(1)]} no {after[article.end():]}", article.group().strip(), "no"
    if claim.startswith("There "):
        return "", "", ""
    negated = "cannot" if verb == "can" else f"{verb} not"
    return claim[: first.start()] + negated + after, verb, negated
