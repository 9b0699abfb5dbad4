"""The rules of certify for generated texts: log-probabilities of given texts, and the first greedy tokens.

Two loads of one model do not generate equal texts: if two tokens are almost equally likely, rounding decides, and all
that follows differs. But they give the tokens of one given text almost the same probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from factory.api import ScoredAnswer, TokenLogprob
from factory.errors import CertificationError

MIN_COMPLEMENT = 1e-4
"""Smallest probability of all other tokens: below it, float32 log-probabilities are too coarse for log-odds."""
TOKEN_TOLERANCE, MEAN_TOLERANCE = 3.0, 0.6
"""Largest accepted differences of log-odds, of one token and in the mean of all tokens: twice those of rounding.

The judged model may have run in bfloat16 with the adapter merged; the plain library runs in float32, where both agree
to 3e-6. Measured on SmolLM2-135M and 16 answers in SQL, mean and largest difference of log-odds from the judged model:
                                    adapter of an epoch (416 tokens)   of 9 steps (629 tokens)
bfloat16 alone                      0.061 and 0.49                     0.275 and 1.37
no adapter                          6.58 and 28.5                      2.07 and 19.6
alpha doubled                       1.75 and 14.7                      2.04 and 9.5
alpha halved                        1.75 and 8.8                       0.78 and 6.0
another chat template               0.88 and 13.6                      0.90 and 17.3
each layer's adapter one below      6.81 and 28.9
alpha times 1.25                    0.41 and 3.8
system message replaced             0.38 and 7.5
one of 30 layers without adapter    0.13 and 1.4: not told apart
By bfloat16 alone, log-probabilities differ by 0.0013 in the mean and at most by 0.08, after 9 steps by 0.10 and 1.37;
those of the base without an adapter by 0.030 and 0.35 (log-odds 0.078 and 0.35).
"""
TIE_TOLERANCE = 1.5
"""Largest accepted lead, in log-probability, of a token that the library decodes over the judged one, which bfloat16
rounding alone may have chosen."""
PARTED_SHARE = 0.25
"""Largest accepted share of answers in which that lead is larger. Under a constraint, a judged answer may have been
decoded in other tokens than its tokenizer splits the text into, after which other tokens are likely. The answers of
another model part in nearly every row."""


@dataclass(frozen=True, slots=True)
class TextEvidence:
    """The judged model's answers to the golden rows, scored by that model (`judged`), by the plain library with the
    bundle (`tuned`) and with the base alone (`untuned`), and the first tokens that the library decodes (`greedy`)."""

    judged: Sequence[ScoredAnswer]
    tuned: Sequence[ScoredAnswer]
    untuned: Sequence[ScoredAnswer]
    greedy: Sequence[ScoredAnswer]


@dataclass(frozen=True, slots=True)
class TokenPair:
    """One token of an answer as two models score it; `position` counts from 1."""

    row: str
    position: int
    one: TokenLogprob
    other: TokenLogprob

    @property
    def difference(self) -> float:
        """The absolute difference of log-odds.

        An error of a logit changes log p by (1 - p) of it, hardly at all for the likely tokens that make up an answer,
        but log(p / (1 - p)) by all of it.
        """
        return abs(compute_log_odds(self.one.logprob) - compute_log_odds(self.other.logprob))

    def describe(self) -> str:
        """Return the row, the token and both log-probabilities, of the bundle and of the judged model."""
        return (
            f"row {self.row!r}, token {self.position} ({self.one.text!r}): log-probability {self.one.logprob:.4f} by "
            f"the bundle, {self.other.logprob:.4f} by the judged model"
        )


def compute_log_odds(logprob: float) -> float:
    """Return log(p / (1 - p)) of log p."""
    return logprob - math.log(max(-math.expm1(logprob), MIN_COMPLEMENT))


def certify_texts(evidence: TextEvidence, *, may_equal_base: bool = False) -> dict[str, Any]:
    """Return the facts of a certificate from scored texts.

    With `may_equal_base`, the bundle adds nothing to the untuned base, so that it need not differ from it.
    Raises CertificationError, with a row, a token and both log-probabilities, if the bundle is not the judged model.
    """
    pairs = _pair_tokens(evidence.tuned, evidence.judged)
    worst = max(pairs, key=lambda pair: pair.difference)
    gap = _compute_mean_difference(pairs)
    change = _compute_mean_difference(_pair_tokens(evidence.tuned, evidence.untuned))
    if change == 0.0 and not may_equal_base:
        raise CertificationError("the adapter does not change the answers: the plain library loaded the base alone")
    _require_same_model(gap, math.inf if may_equal_base else change, worst)
    partings = [pair for pair in map(_find_parting, evidence.greedy, evidence.tuned) if pair is not None]
    ties = _require_greedy_answers(partings, len(evidence.greedy))
    return {
        "largest_difference": round(worst.difference, 8), "tolerance": TOKEN_TOLERANCE,
        "mean_difference": round(gap, 8), "mean_tolerance": MEAN_TOLERANCE, "tokens": len(pairs), "near_ties": ties,
        "parted": len(partings) - ties, "change": round(change, 8),
    }


def _require_same_model(gap: float, change: float, worst: TokenPair) -> None:
    """Raise CertificationError if the mean difference (`gap`) or the largest one (`worst`) is over its tolerance, or
    the gap over what the adapter changes (`change`)."""
    if worst.difference > TOKEN_TOLERANCE:
        reason = f"log-odds differ by {worst.difference:.2f}, over {TOKEN_TOLERANCE}"
    elif gap > MEAN_TOLERANCE:
        reason = f"log-odds differ by {gap:.3f} in the mean, over {MEAN_TOLERANCE}, and most here"
    # A weak adapter changes the answers less than the tolerance: within it, the base itself would pass.
    elif gap > change:
        reason = f"the untuned base is nearer to the bundle ({change:.4f}) than the judged model is ({gap:.4f})"
    else:
        return
    raise CertificationError(f"the bundle is not the judged model: {worst.describe()}; {reason}")


def _pair_tokens(some: Sequence[ScoredAnswer], others: Sequence[ScoredAnswer]) -> list[TokenPair]:
    """Pair the tokens of the same answers as two models score them.

    Raises CertificationError if their tokenizers split an answer differently.
    """
    return [pair for one, other in zip(some, others, strict=True) for pair in _pair_answer_tokens(one, other)]


def _pair_answer_tokens(one: ScoredAnswer, other: ScoredAnswer) -> Iterator[TokenPair]:
    if [token.token_id for token in one.tokens] != [token.token_id for token in other.tokens]:
        texts, expected = ([token.text for token in answer.tokens] for answer in (one, other))
        raise CertificationError(f"row {one.id!r}: the bundle's tokenizer splits the answer as {texts}, not {expected}")
    for position, both in enumerate(zip(one.tokens, other.tokens, strict=True), 1):
        yield TokenPair(one.id, position, *both)


def _compute_mean_difference(pairs: Sequence[TokenPair]) -> float:
    return sum(pair.difference for pair in pairs) / len(pairs)


def _find_parting(own: ScoredAnswer, judged: ScoredAnswer) -> TokenPair | None:
    """Return the first place where the tokens that the library decodes leave the judged answer; None if they do not."""
    # Compare texts first: a decoded text may consist of other tokens than its tokenizer would split it into.
    if _join_texts(judged).startswith(_join_texts(own)):
        return None
    tokens = enumerate(zip(own.tokens, judged.tokens, strict=False), 1)
    position, both = next(each for each in tokens if each[1][0].token_id != each[1][1].token_id)
    return TokenPair(own.id, position, *both)


def _require_greedy_answers(partings: Sequence[TokenPair], answers: int) -> int:
    """Return how many answers part at a near-tie. Raises CertificationError if too many part at another place.

    The library scored both tokens of a pair: its own and the judged one.
    """
    clear = [pair for pair in partings if abs(pair.one.logprob - pair.other.logprob) > TIE_TOLERANCE]
    if len(clear) > PARTED_SHARE * answers:
        first = clear[0]
        raise CertificationError(
            f"the bundle does not decode {len(clear)} of {answers} judged answers: row {first.row!r}, token "
            f"{first.position}: {first.one.text!r} (log-probability {first.one.logprob:.4f}), not "
            f"{first.other.text!r} ({first.other.logprob:.4f})"
        )
    return len(partings) - len(clear)


def _join_texts(answer: ScoredAnswer) -> str:
    return "".join(token.text for token in answer.tokens)
