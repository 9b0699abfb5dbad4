"""Negate an English claim, or remove its negation, where that certainly reverses its truth."""

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
NEGATED_VERB = re.compile(
    r"\b(is|are|was|were|will|would|does|do|did|can|could|should|has|have|had) ?(?:not|n['’]t)\b "
)
CANNOT = re.compile(r"\bcannot\b")
THERE_IS_NO = re.compile(r"^There (is|was) no (?=([a-z]))")
THERE_ARE_NO = re.compile(r"^There (are|were) no ")
NO_SUBJECT = re.compile(r"^No (?=[a-z])")
NEGATIVE_PRONOUNS = {"Nobody": "Somebody", "No one": "Someone", "Nothing": "Something"}
UNSURE_SCOPE = re.compile(
    r"\b(?:all|every|each|both|some|most|many|few|several|any|less|fewer|none|nothing|nobody|no one|only|just|may"
    r"|might|could|if|unless|whether|because|although|though|but|or|never|hardly|rarely|neither|nor|without|except"
    r"|instead)\b|\?\s*$|[\[\]…;]"
    r"|^\W*(?:while|since|when|as|despite|given|gone)\b|(?<!^)\bthere (?:is|are|was|were|has|have|will)\b",
    re.IGNORECASE,
)
CLAUSE_START = re.compile(r"\b(?:who|which|that|whose|where|when|while)\b|,")


def negate_claim(claim: str, evidence: str, known: EntityIndex, draw: Random) -> ClaimCorruption | None:
    """Negate the first main verb of a claim, or remove its only negation.

    None where the scope is in doubt: questions, quantifiers ("all birds can not fly"), possibilities ("may not" is
    compatible with "may"), conditions, and verbs inside a subordinate clause.
    """
    for changed, was, now in (_remove_negation(claim), _insert_negation(claim)):
        if changed:
            return ClaimCorruption("negation", changed, evidence, was, now)
    return None


def _remove_negation(claim: str) -> tuple[str, str, str]:
    """Return (claim without its negation, removed words, new words), or three empty strings."""
    if match := THERE_IS_NO.match(claim):
        article = "an" if match.group(2) in "aeiou" else "a"
        return f"There {match.group(1)} {article} {claim[match.end():]}", "no", article
    if match := THERE_ARE_NO.match(claim):
        return f"There {match.group(1)} some {claim[match.end():]}", "no", "some"
    for no, some in NEGATIVE_PRONOUNS.items():
        if claim.startswith(f"{no} "):
            return f"{some}{claim[len(no):]}", no, some
    if NO_SUBJECT.match(claim):
        return f"Some {claim[3:]}", "No", "Some"
    if UNSURE_SCOPE.search(claim) or CLAUSE_START.search(claim):
        return "", "", ""
    if CANNOT.search(claim):
        return CANNOT.sub("can", claim, count=1), "cannot", "can"
    match = NEGATED_VERB.search(claim)
    # "does not run" would need its verb inflected: "runs".
    if match and match.group(1) not in ("does", "do", "did"):
        verb = match.group(1)
        return f"{claim[: match.start()]}{verb} {claim[match.end() :]}", match.group().strip(), verb
    return "", "", ""


def _insert_negation(claim: str) -> tuple[str, str, str]:
    """Return (negated claim, replaced words, new words), or three empty strings."""
    patterns = (UNSURE_SCOPE, NEGATED_VERB, CANNOT)
    if any(pattern.search(claim) for pattern in patterns) or re.search(r"\bno\b", claim, re.IGNORECASE):
        return "", "", ""
    verbs = [match for match in (AUXILIARY_VERB.search(claim), PERFECT_TENSE.search(claim)) if match]
    first = min(verbs, key=lambda match: match.start(), default=None)
    # A verb at the very start makes a question; one after a clause mark is not the main verb.
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
