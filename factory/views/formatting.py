"""Formatting of numbers, durations and verdicts, shared by the terminal and the HTML report."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from factory.events import RuleState, Verdict
from factory.runs.run_outputs import find_deciding_comparison
from factory.text.quantities import format_bytes as format_bytes

# Whole sequences are removed, not only the escape character: otherwise their parameters would remain as text.
ESCAPE_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
ASCII_MINUS = re.compile(r"(?<![\w.\-])-(?=\d)")
"""The hyphen before a negative number, neither that of a date nor of a name such as `row-7`."""
DECIDING_STATES = (RuleState.FAILED, RuleState.ENOUGH)
"""States of a rule that alone decide the verdict."""
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_line(text: object, limit: int = 0) -> str:
    """Return text as one safe line, without control sequences, line breaks and bidi controls; 0: no `limit`."""
    line = str(text)
    if not line.isprintable():  # printable characters, nearly always all of them, need no second look
        bare = ESCAPE_SEQUENCES.sub("", line)
        # Line breaks become spaces before other control characters are dropped, so that words stay apart.
        line = "".join(" " if c in "\n\r\t" else c for c in bare if c in "\n\r\t" or not is_control_character(c))
    line = " ".join(line.split())
    return line[: limit - 1].rstrip() + "…" if 0 < limit < len(line) else line


def is_control_character(character: str) -> bool:
    """Return whether a character is a control character, a surrogate, or changes the text direction."""
    return character in BIDI_CONTROLS or unicodedata.category(character) in ("Cc", "Cs")


def format_seconds(value: float) -> str:
    """Format a duration: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if value < 9.95:  # 9.95 and more would round to 10.0
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def format_ago(value: float) -> str:
    """Format an age in seconds in its largest unit: `now`, `5 min ago`, `3 days ago`."""
    for unit, size in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if value >= size:
            count = int(value // size)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "now"


def format_number(value: object, digits: int = 3) -> str:
    """Format a score with fixed digits; `–` if it is not a number."""
    return f"{value:.{digits}f}" if isinstance(value, int | float) and not isinstance(value, bool) else "–"


def format_signed(value: object, digits: int = 3) -> str:
    """Format a difference with its sign, using a true minus (U+2212)."""
    return f"{value:+.{digits}f}".replace("-", "−") if isinstance(value, int | float) else "–"


def format_bounds(low: object, high: object) -> str:
    """Format the interval of a difference: `+0.017 to +0.084`."""
    return f"{format_signed(low)} to {format_signed(high)}"


def format_recorded_text(text: object) -> str:
    """Return a sentence that a stage recorded as people read it: with a true minus (U+2212), and titles of verdicts."""
    shown = ASCII_MINUS.sub("−", str(text))
    for verdict in Verdict:
        shown = shown.replace(verdict.value, verdict.facts.title)
    return shown


def format_percent(value: object) -> str:
    """Format a share as a percentage with at most two decimals: 0.95 → `95 %` (no-break space).

    More where they are needed to tell it from 100 %.
    """
    if not isinstance(value, int | float):
        return "–"
    decimals = 2 if value >= 1 or round(value, 4) < 1 else 6
    return f"{round(100 * value, decimals):.9g}\u00a0%"


def format_count(number: int, what: str) -> str:
    """Format a count with its noun: `1 value`, `2,000 values`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def format_text_or_json(value: object) -> str:
    """Format a value of a row or spec: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def format_record_value(value: object, limit: int = 120) -> str:
    """Format a value of a table that a plugin wrote: a float as a score, anything else as one line of text."""
    return format_number(value) if isinstance(value, float) else clean_line("" if value is None else value, limit)


def format_fact(value: object, limit: int = 120) -> str:
    """Format a setting or a cost that a plugin recorded: a float with four digits, anything else as one line."""
    return f"{value:.4g}" if isinstance(value, float) else clean_line(format_text_or_json(value), limit)


def join_names(names: list[str]) -> str:
    """Join names: `a, b and c`."""
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names)


def compute_scale(intervals: Sequence[tuple[float, float]], *values: float) -> tuple[float, float]:
    """Return a scale (low, high) that covers all intervals and `values`, with 6 % padding at each end."""
    low = min([a for a, _ in intervals] + list(values))
    high = max([b for _, b in intervals] + list(values))
    padding = 0.06 * (high - low)
    return low - padding, high + padding


def describe_verdict(gate: Mapping[str, Any], task: str) -> str:
    """Return the verdict in sentences: tuned's level, the rules that decided, and against whom it gains how much."""
    deciding = find_deciding_comparison(gate)
    if gate.get("refused"):
        return f"The expert review of the training rows blocks shipping: {'; '.join(gate['refused'])}."
    if not deciding:
        return "The gate had no contender to compare with."
    versions = _list_incumbent_sentences(gate)
    if gate.get("unproven"):
        return " ".join([f"The evidence is too thin: {'; '.join(gate['unproven'])}.", *versions])
    others = [c["baseline"] for c in gate["comparisons"] if c is not deciding]
    verdict, leads = get_gate_verdict(gate), _list_lead_sentences(gate)
    claim = _describe_claim(verdict, gate, deciding, _describe_judged_rows(deciding))
    best = _describe_best_baseline(gate, str(deciding["baseline"])) if others else ""
    beaten = f"; it also {_describe_other_gains(gate, others)}" if others and verdict.ships else ""
    gain = f"The tuned {task} {claim} {deciding['baseline']}{best}: {describe_gain(gate, deciding)}{beaten}."
    return " ".join([*leads, gain, *versions])


def _describe_judged_rows(comparison: Mapping[str, Any]) -> str:
    """Return the rows of a comparison, and what they are worth where several are of one group."""
    rows, groups = comparison.get("n", 0), comparison.get("groups")
    counted = f"these {format_count(rows, 'test row')}"
    if groups is None or groups == rows:
        return counted
    worth = round(float(comparison.get("effective_groups", groups)), 1)
    equal = f", worth {worth:g} of equal size" if worth < groups else ""
    return f"{counted} of {format_count(groups, 'group')}{equal},"


def _list_incumbent_sentences(gate: Mapping[str, Any]) -> list[str]:
    """Return how tuned stands to versions of a specialist, and which test rows those have, or may have, seen."""
    lines = []
    for version in gate.get("incumbents", []):
        lines.append(version["finding"])
        if version.get("seen", 0) != 0:
            lines.append(version["seen_finding"])
    return [f"{line[:1].upper()}{line[1:]}." for line in lines]


def _list_lead_sentences(gate: Mapping[str, Any]) -> list[str]:
    """Return tuned's level, measured by the floor or by nothing, and the rules that decided against shipping."""
    rules, mean = gate.get("rules", []), gate.get("tuned", {}).get("mean")
    floors = [rule["text"] for rule in rules if rule["rule"] == "floor"]
    further = [rule for rule in rules if rule["rule"] != "floor"]
    decided = [rule["text"] for rule in further if rule["rule"] == "match" or rule["state"] in DECIDING_STATES]
    level = f"{gate.get('metric', 'score')} {format_number(mean)}; nobody said what is good enough (gate.floor)"
    lines = [*(text[:1].upper() + text[1:] for text in floors), *([] if floors or mean is None else [level])]
    return [f"{line}." for line in (*lines, *(text[:1].upper() + text[1:] for text in decided))]


def _describe_best_baseline(gate: Mapping[str, Any], deciding: str) -> str:
    """Return that the deciding baseline is the best of the others, or which one is, and the gain over it."""
    name = gate.get("best_baseline")
    if name == deciding:
        return ", the best of the others"
    gains = [format_signed(c.get("difference")) for c in gate["comparisons"] if c["baseline"] == name]
    return f" (the best of the others is {name}: {gains[0]})" if gains else ""


def get_gate_verdict(gate: Mapping[str, Any]) -> Verdict:
    """Return the verdict that a gate states."""
    return Verdict.from_word(gate.get("verdict", ""))


def _fill_rows(claim: str, rows: str) -> str:
    """Return a claim with its rows, which may end in a comma as the claim goes on with one."""
    return claim.format(rows=rows).replace(",,", ",")


def _describe_claim(verdict: Verdict, gate: Mapping[str, Any], best: Mapping[str, Any], rows: str) -> str:
    if verdict.facts.claim:
        return _fill_rows(verdict.facts.claim, rows)
    is_ruled = any(rule["state"] in DECIDING_STATES for rule in gate.get("rules", []))
    if is_ruled and best["low"] > gate.get("margin", 0.0):  # a rule may forbid to ship what beats every baseline
        return _fill_rows(Verdict.SHIP.facts.claim, rows)
    if best.get("difference", 0.0) > 0:
        return f"answers {rows} only marginally better than"
    return f"answers {rows} no better than"


def _describe_other_gains(gate: Mapping[str, Any], others: list[str]) -> str:
    gains = {c["baseline"]: format_signed(c.get("difference")) for c in gate["comparisons"]}
    return "beats " + join_names([f"{name} ({gains[name]})" for name in others])


def describe_gain(gate: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    """Return the gain with its interval: `+0.064 (95 % interval +0.041 to +0.087)`."""
    share = format_percent(gate.get("confidence", 0.95))
    span = f"{format_signed(best.get('low'))} to {format_signed(best.get('high'))}"
    return f"{format_signed(best.get('difference'))} ({share} interval {span})"
