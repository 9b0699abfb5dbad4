"""The rule `gate.match`: tuned is as good as a contender (non-inferior), at a share of its cost and latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.api.rows import Metric
from factory.evaluation.rules import RuleResult
from factory.evaluation.score_table import ScoreTable
from factory.evaluation.table_tests import TUNED, run_gain_tests
from factory.events import RuleState

if TYPE_CHECKING:
    from factory.spec.fields import Gate, Match

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class AnswerExpense:
    """What one answer of a contender costs and takes, None where nothing was recorded: then `missing` says what to do.

    An endpoint has the price of its tokens and the median of its replies. What runs on a machine has the time in which
    it answered all test rows, its start included, divided by them, and that time at the price of the machine.
    """

    cost: float | None
    seconds: float | None
    missing: str = ""

    @classmethod
    def from_answers(cls, answers: Mapping[str, Any], hourly: float) -> AnswerExpense:
        """Return the expense that an answer.json records. `hourly` is the price of an hour of the machine."""
        facts: Mapping[str, Any] = answers.get("facts") or {}
        if "endpoint" in facts:
            cost, calls = float(facts.get("cost") or 0), int(facts.get("calls") or 0)
            missing = "" if cost and calls else "set price_in and price_out of its endpoint"
            return cls(cost / calls if cost and calls else None, facts.get("seconds_median") or None, missing)
        seconds = float(answers["seconds"]) / max(int(answers["rows"]), 1) if "seconds" in answers else None
        if seconds is None or not hourly:
            return cls(None, seconds, "set gate.match.hourly, the price of an hour of its machine")
        return cls(seconds * hourly / SECONDS_PER_HOUR, seconds)


def judge_match(
    match: Match, gate: Gate, metric: Metric, table: ScoreTable, expenses: Mapping[str, AnswerExpense]
) -> RuleResult:
    """Return whether tuned is as good as the contender that it shall match, at the shares that the spec states."""
    (gain,) = run_gain_tests(table, metric, gate, [match.contender], -match.within)
    interval, name = gain.result.interval, match.contender
    states, words = [RuleState.OPEN], {
        RuleState.MET: f"is as good as {name}, of which a fall of {match.within:g} is excluded",
        RuleState.FAILED: f"is worse than {name} by more than {match.within:g}",
        RuleState.OPEN: f"may be worse than {name} by {match.within:g}",
    }
    if gain.result.has_enough_groups and interval.excludes(-match.within):
        states = [RuleState.MET if interval.low > -match.within else RuleState.FAILED]
    bounds = f"{100 * gate.confidence:g} % interval {interval.low:.3f} to {interval.high:.3f}, n = {interval.n}"
    lines = [f"tuned {words[states[0]]} (difference {interval.mean:.3f} {metric.name}, {bounds})"]
    facts: dict[str, Any] = {
        "contender": name, "within": match.within, "difference": interval.mean, "low": interval.low,
        "high": interval.high, "p": gain.result.p,
    }
    for what, limit in (("cost", match.cost), ("latency", match.latency)):
        if limit is not None:
            state, line, share = _judge_share(what, limit, name, expenses)
            states.append(state)
            lines.append(line)
            facts[what] = share
    worst = next(state for state in (RuleState.FAILED, RuleState.OPEN, RuleState.MET) if state in states)
    return RuleResult("match", worst, "; ".join(lines), facts)


def _judge_share(
    what: str, limit: float, contender: str, expenses: Mapping[str, AnswerExpense]
) -> tuple[RuleState, str, float | None]:
    """Return whether tuned has at most this share of the contender's cost or latency, in words, and the share."""
    values = {
        name: expenses[name].cost if what == "cost" else expenses[name].seconds for name in (TUNED, contender)
    }
    lacking = [name for name, value in values.items() if not value]
    if lacking:
        remedies = [f"{name} has no {what} recorded: {expenses[name].missing or 'build it anew'}" for name in lacking]
        return RuleState.OPEN, "; ".join(remedies), None
    one, other = float(values[TUNED] or 0), float(values[contender] or 0)
    share, unit = one / other, "" if what == "cost" else " s"
    state = RuleState.MET if share <= limit else RuleState.FAILED
    bound = f"at most {limit:g}" if state is RuleState.MET else f"more than {limit:g}"
    return state, f"an answer has {share:.3g} of its {what}, {bound} ({one:.3g}{unit} to {other:.3g}{unit})", share
