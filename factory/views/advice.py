"""What to do after a verdict, in one sentence that can be acted upon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.evaluation.paired_tests import MIN_EFFECTIVE_GROUPS
from factory.evaluation.reasons import describe_settling_size
from factory.views.formatting import get_gate_verdict

SETTLING_FIELDS = {"groups": "data.split.test", "rows": "data.split.test", "seeds": "train.seeds"}
"""Unit of what would decide → the field that asks for more of it."""


def describe_next_step(gate: Mapping[str, Any]) -> str:
    """Return which contender to use, how many rows would decide, or what to change; empty without a gate."""
    if gate.get("refused"):
        return "Run `factory review SPEC`; the next build continues from the decisions of the experts."
    advice = get_gate_verdict(gate).facts.next_step
    if "{rows}" in advice:
        return _advise_more_rows(gate, advice)
    return advice.format(instead=_advise_baseline(gate), cause=_name_cause(gate))


def _advise_more_rows(gate: Mapping[str, Any], advice: str) -> str:
    """Return how many rows, groups or seeds would decide, and what to use until then."""
    needed, size, best = gate.get("n_to_settle"), gate.get("settle") or {}, gate.get("best_baseline", "")
    until = f"; until then use {best}, the best baseline" if best else ""
    unit = size.get("unit", "rows")
    if not needed:
        field = "the suite that is too small" if gate.get("probes") else SETTLING_FIELDS[unit]
        cause = next(iter(gate.get("unproven", [])), "")
        return f"Add test rows ({field}){until}{f': {cause}' if cause else ''}."
    count = f"{int(needed):,}"
    if size.get("is_capped"):
        instead = f": use {best}, which does as well for all that these rows show" if best else ": not worth it"
        return f"More than {describe_settling_size(count, unit)} would be needed to decide{instead}."
    amount = advice.format(rows=describe_settling_size(count, unit)).removesuffix(".")
    return f"{amount}{f' ({SETTLING_FIELDS[unit]})' if unit != 'seeds' else ''}{until}."


def _find_lost(gate: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the comparisons that tuned has lost, the worst first."""
    margin = float(gate.get("margin", 0.0))
    lost = [
        each for each in gate.get("comparisons", [])
        if each["high"] < margin and each.get("effective_groups", MIN_EFFECTIVE_GROUPS) >= MIN_EFFECTIVE_GROUPS
    ]
    return sorted(lost, key=lambda each: float(each["difference"]))


def _advise_baseline(gate: Mapping[str, Any]) -> str:
    """Return the contender to use in place of tuned, or the current solution where tuned lost to none."""
    lost = _find_lost(gate)
    return str(lost[0]["baseline"]) if lost else "the current solution"


def _name_cause(gate: Mapping[str, Any]) -> str:
    """Return what to look at: the rows that tuned loses, or the rule that it failed."""
    if lost := _find_lost(gate):
        return f"`factory compare RUN:tuned RUN:{lost[0]['baseline']}` shows the rows that tuned loses"
    reason = next(iter(gate.get("reasons", [])), "")
    return f"mend this first: {reason}" if reason else "see the reasons"
