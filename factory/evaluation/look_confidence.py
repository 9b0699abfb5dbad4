"""What the gate asks of test rows that were judged before: more confidence, as each look is a chance to ship by luck.

The first looks are free. The look of number k > 2 may err α / k(k − 1), α being what one look may (alpha spending, as
in sequential trials: Lan & DeMets 1983). All looks together then ship by luck in at most 2.5 α of series, 1/16 at 95 %
confidence, however many there are and whatever they have in common; `benchmarks/looks_simulation.py` shows what the
looks of one specialist at the same rows do.
"""

from __future__ import annotations

from factory.evaluation.statistics import DIGITS

FREE_LOOKS = 2
NEARLY_CERTAIN = 99.995
"""From this confidence on, in percent, two decimals would say 100 %."""


def compute_look_confidence(confidence: float, look: int) -> float:
    """Return the confidence of the interval at look number `look` for one that is stated for a single look."""
    return confidence if look <= FREE_LOOKS else 1 - (1 - confidence) / (look * (look - 1))


def describe_looks(confidence: float, look: int) -> str:
    """Return how often the test rows were judged, in a sentence without a full stop, and what follows."""
    times = "once" if look == 1 else f"{look} times"
    told = f"these test rows were judged {times}"
    if look < FREE_LOOKS:
        return told
    if look == FREE_LOOKS:
        return f"{told}; any further look at them needs wider intervals"
    needed = 100 * compute_look_confidence(confidence, look)
    share = round(needed, 2 if needed < NEARLY_CERTAIN else DIGITS)
    return (
        f"{told}: at this look the gate needs intervals of {share:.9g} % in place of {100 * confidence:g} %, since "
        "every look is a chance to ship by luck; a higher data.split.renew draws fresh test rows"
    )
