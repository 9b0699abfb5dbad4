"""The verdicts of the gate: each word with its exit code and all that the terminal, the TUI and the report show of it.

The rule that chooses a verdict is in `factory.evaluation.gate`. Nothing else names the words one by one: a new verdict
is one member here, and its rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from factory.errors import BUG, INSUFFICIENT, NOT_SHIPPED, SHIPPED


@dataclass(frozen=True, slots=True)
class VerdictFacts:
    """What is known of a verdict besides its word.

    `title` and `sign` are for narrow places, `tone` is good, bad or warn. `claim` continues "The tuned TASK" and ends
    before the name of a baseline, `{rows}` being the test rows; if empty, the sign of the difference decides. `advice`
    is one line of a list, `finding` a sentence of the model card. `next_step` may ask for `{rows}`, the test rows that
    would settle the comparison, and is left out if that number is unknown.
    """

    exit_code: int
    title: str
    sign: str = "?"
    tone: str = "warn"
    claim: str = ""
    advice: str = ""
    finding: str = "see the reasons."
    next_step: str = ""


class Verdict(StrEnum):
    """Whether the tuned model may ship."""

    facts: VerdictFacts

    def __new__(cls, word: str, facts: VerdictFacts) -> Self:
        member = str.__new__(cls, word)
        member._value_, member.facts = word, facts
        return member

    SHIP = "SHIP", VerdictFacts(
        exit_code=SHIPPED, title="SHIP", sign="▲", tone="good",
        claim="answers {rows} better than",
        advice="ship it: better than every baseline, outside the noise",
        finding="the tuned model beats every baseline by more than chance explains.",
    )
    NO_SHIP = "NO_SHIP", VerdictFacts(
        exit_code=NOT_SHIPPED, title="NO SHIP", sign="✗", tone="bad",
        advice="do not ship: Verdict (3) and Compare (4) show which rows it loses",
        finding="the tuned model did not pass the gate. Do not deploy it in place of the best baseline.",
        next_step=(
            "Keep the current solution; `factory compare RUN:tuned RUN:BASELINE` shows the rows that tuned loses."
        ),
    )
    PROMPTING_IS_ENOUGH = "PROMPTING_IS_ENOUGH", VerdictFacts(
        exit_code=NOT_SHIPPED, title="PROMPT INSTEAD", sign="≈", tone="warn",
        advice="do not ship: prompting the base model does as well",
        finding="a prompted model does as well. Fine-tuning brings no gain here.",
        next_step="Prompting the base model does as well: deploy that instead of the trained artifact.",
    )
    INSUFFICIENT_EVIDENCE = "INSUFFICIENT_EVIDENCE", VerdictFacts(
        exit_code=INSUFFICIENT, title="UNDECIDED", sign="?", tone="warn",
        claim="is not significantly different, on {rows}, from",
        advice="inconclusive: more test rows are needed",
        finding="the test rows are too few to tell the tuned model from the best baseline.",
        next_step="About {rows} test rows would be needed to decide.",
    )

    @classmethod
    def from_word(cls, word: object) -> Self:
        """Return the verdict of this word. A newer version of the factory may know words that are no member here."""
        known = next((verdict for verdict in cls if verdict == word), None)
        if known is not None:
            return known
        unknown = str.__new__(cls, str(word))
        unknown._name_ = unknown._value_ = str(word)
        unknown.facts = VerdictFacts(exit_code=BUG, title=str(word))
        return unknown

    @property
    def ships(self) -> bool:
        """Whether this verdict lets the tuned model ship."""
        return self.facts.exit_code == SHIPPED
