"""Which contender a build delivers: tuned if it ships, else the best one that can be deployed, or the one named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from factory.api.rows import Metric
from factory.evaluation.paired_tests import MIN_EFFECTIVE_GROUPS
from factory.events import Verdict
from factory.spec.fields import DELIVER_BEST, DELIVER_TUNED


@dataclass(frozen=True, slots=True)
class DeliveryChoice:
    """The contender to bundle, why this one, and its mean of the deciding metric (None if that was not scored)."""

    contender: str
    reason: str
    metric: str
    mean: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the choice as a manifest records it."""
        return {"contender": self.contender, "reason": self.reason, "metric": self.metric, "mean": self.mean}


def choose_delivery(
    deliver: str, tuned: str, gate: Mapping[str, Any], score: Mapping[str, Any], deployable: Collection[str]
) -> DeliveryChoice:
    """Return what to bundle by `deliver` of a spec, from the content of gate.json and score.json.

    With `best`, that is tuned if the verdict is SHIP. Else it is the contender with the best mean of the deciding
    metric among those in `deployable`, of equal ones the first by name. Tuned is taken in its place only if none can be
    deployed, or if the evidence is too thin against others, but shows that tuned is better than this one.
    """
    metric, verdict = str(gate["metric"]), Verdict.from_word(gate["verdict"])
    means = {name: float(values[metric]["mean"]) for name, values in score["contenders"].items() if metric in values}
    if deliver != DELIVER_BEST:
        chosen, reason = tuned if deliver == DELIVER_TUNED else deliver, f"the spec says deliver: {deliver}"
    elif verdict.ships:
        chosen, reason = tuned, "the gate lets it ship"
    else:
        sign = 1 if _is_higher_better(score, metric) else -1
        merits = {name: sign * mean for name, mean in means.items()}
        candidates = [name for name in sorted(deployable) if name in means]
        chosen = max(candidates, key=lambda name: merits[name], default=tuned)
        reason = _explain_best(chosen, metric, merits, tuned) if candidates else "no other contender can be deployed"
        if verdict is Verdict.INSUFFICIENT_EVIDENCE and _is_shown_better(gate, chosen):
            reason = f"it is shown to be better than {chosen}, the best of the others that can be deployed"
            chosen = tuned
    return DeliveryChoice(chosen, reason, metric, means.get(chosen))


def _is_shown_better(gate: Mapping[str, Any], baseline: str) -> bool:
    """Whether the gate's interval shows that tuned is better than a baseline by more than the margin."""
    found = next((each for each in gate.get("comparisons", ()) if each["baseline"] == baseline), None)
    if found is None or found.get("effective_groups", MIN_EFFECTIVE_GROUPS) < MIN_EFFECTIVE_GROUPS:
        return False
    return bool(found["low"] > gate.get("margin", 0.0))


def _explain_best(chosen: str, metric: str, merits: Mapping[str, float], tuned: str) -> str:
    """Return why this contender is taken where tuned does not ship; `merits` are means, higher is better."""
    reason = f"the best {metric} of the contenders that can be deployed"
    better = sorted(name for name, merit in merits.items() if merit > merits[chosen] and name != tuned)
    if not better:
        return reason
    verb = "has a better one but" if len(better) == 1 else "have a better one but"
    return f"{reason} ({', '.join(better)} {verb} can not)"


def _is_higher_better(score: Mapping[str, Any], metric: str) -> bool:
    metrics = {each.name: each for each in (Metric(**values) for values in score["metrics"])}
    return metrics[metric].higher_is_better if metric in metrics else True
