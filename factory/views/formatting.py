"""Numbers and verdicts in words a person reads. The terminal and the HTML report say the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

SHIP, NO_SHIP, PROMPTING_IS_ENOUGH, INSUFFICIENT_EVIDENCE = "SHIP", "NO_SHIP", "PROMPTING_IS_ENOUGH", "INSUFFICIENT_EVIDENCE"

ESCAPE_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_line(text: object, limit: int = 0) -> str:
    """One safe line for a terminal: no control sequence, line break or change of direction; at most `limit` letters."""
    bare = ESCAPE_SEQUENCES.sub("", str(text))
    line = "".join(" " if c in "\n\r\t" else c for c in bare if c in "\n\r\t" or not is_control_character(c))
    line = " ".join(line.split())
    return line[: limit - 1].rstrip() + "…" if 0 < limit < len(line) else line


def is_control_character(character: str) -> bool:
    """Return whether a character is a control character, a surrogate, or changes the text direction."""
    return character in BIDI_CONTROLS or unicodedata.category(character) in ("Cc", "Cs")


def format_seconds(value: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def format_ago(value: float) -> str:
    """A past time span in its largest unit: `now`, `5 min ago`, `3 days ago`."""
    for unit, size in (("day", 86_400), ("h", 3_600), ("min", 60)):
        if value >= size:
            count = int(value // size)
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "now"


def format_bytes(count: float) -> str:
    """Bytes as `512 B`, `3.4 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def format_number(value: object, digits: int = 3) -> str:
    """A score with its digits; `–` when there is none."""
    return f"{value:.{digits}f}" if isinstance(value, int | float) and not isinstance(value, bool) else "–"


def format_signed(value: object, digits: int = 3) -> str:
    """A difference with its sign, a true minus where it is below zero."""
    return f"{value:+.{digits}f}".replace("-", "−") if isinstance(value, int | float) else "–"


def format_percent(value: object) -> str:
    """0.95 → `95 %`; digits only where they say something."""
    return f"{round(100 * value, 2):g}\u00a0%" if isinstance(value, int | float) else "–"


def format_count(number: int, what: str) -> str:
    """`1 value`, `2,000 values`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def join_names(names: list[str]) -> str:
    """`a, b and c`."""
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names)


def compute_scale(intervals: Sequence[tuple[float, float]], *also: float) -> tuple[float, float]:
    """A scale that holds all intervals, and these values too, with a little air at both ends."""
    low = min([a for a, _ in intervals] + list(also))
    high = max([b for _, b in intervals] + list(also))
    air = 0.06 * (high - low)
    return low - air, high + air


def find_deciding_comparison(gate: Mapping[str, Any]) -> Mapping[str, Any]:
    """The comparison that decides: what stands in the way most, else that with the best baseline. Empty for none."""
    every, margin = list(gate.get("comparisons", [])), gate.get("margin", 0.0)
    beaten_by = [c for c in every if c["high"] <= margin]
    unsettled = [c for c in every if c["low"] <= margin]
    best = [c for c in every if c["baseline"] == gate.get("best_baseline")]
    in_the_way = [] if gate.get("verdict") == SHIP else beaten_by or unsettled
    return min(in_the_way, key=lambda c: float(c["low"])) if in_the_way else next(iter([*best, *every]), {})


def describe_verdict(gate: Mapping[str, Any], task: str) -> str:
    """The verdict in one sentence: who answers these rows better, by how much, with what confidence."""
    one = find_deciding_comparison(gate)
    if gate.get("refused"):
        return f"The review of the training rows stands in the way: {'; '.join(gate['refused'])}."
    if not one:
        return "The gate compared nothing."
    others = [c["baseline"] for c in gate["comparisons"] if c is not one]
    claim = _describe_claim(gate.get("verdict", ""), one, f"these {one.get('n', '?')} test rows")
    best = ", the best of the others" if others and one["baseline"] == gate.get("best_baseline") else ""
    beaten = f"; it also {_describe_other_gains(gate, others)}" if others and gate.get("verdict") == SHIP else ""
    return f"The tuned {task} {claim} {one['baseline']}{best}: {describe_gain(gate, one)}{beaten}."


def _describe_claim(verdict: str, best: Mapping[str, Any], rows: str) -> str:
    if verdict == SHIP:
        return f"answers {rows} better than"
    if verdict == INSUFFICIENT_EVIDENCE:
        return f"can not be told apart, on {rows}, from"
    if best.get("difference", 0.0) > 0:
        return f"answers {rows} hardly better than"
    return f"answers {rows} no better than"


def _describe_other_gains(gate: Mapping[str, Any], others: list[str]) -> str:
    gains = {c["baseline"]: format_signed(c.get("difference")) for c in gate["comparisons"]}
    return "beats " + join_names([f"{name} ({gains[name]})" for name in others])


def describe_gain(gate: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    """`ndcg@10 0.482, +0.064 (95 % interval +0.041 to +0.087)`."""
    tuned = gate.get("tuned", {}).get("mean")
    share = format_percent(gate.get("confidence", 0.95))
    span = f"{format_signed(best.get('low'))} to {format_signed(best.get('high'))}"
    return f"{gate.get('metric', 'score')} {format_number(tuned)}, {format_signed(best.get('difference'))} ({share} interval {span})"


def describe_next_step(gate: Mapping[str, Any]) -> str:
    """What the numbers say about what to do next; empty when there is nothing to add."""
    needed = gate.get("n_to_settle")
    if gate.get("verdict") == INSUFFICIENT_EVIDENCE and needed:
        return f"About {int(needed):,} test rows would settle it.".replace(",", "\u202f")
    if gate.get("verdict") == PROMPTING_IS_ENOUGH:
        return "Prompting the base does as well: use that, and keep the adapter in the drawer."
    if gate.get("refused"):
        return "`factory review SPEC` asks an expert; the next build goes on from what they say."
    if gate.get("verdict") == NO_SHIP:
        return "Keep what you have; `factory compare RUN:tuned RUN:BASELINE` shows the rows that it loses."
    return ""
