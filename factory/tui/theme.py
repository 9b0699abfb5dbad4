"""Theme: the colours of the dark and the light palette, the tones of text, and the signs of states."""

from __future__ import annotations

from collections.abc import Mapping

from factory.events import Verdict
from factory.runs import run_view
from factory.tui.rich_text import Span

PALETTE = {
    "ground": ("#11151c", "#fbfaf7"),
    "panel": ("#1a202a", "#efede6"),
    "cursor": ("#2d3a50", "#cfdcf2"),
    "text": ("#e6e9ef", "#1b1e24"),
    "head": ("#a9b4c6", "#4c5566"),
    "accent": ("#c9a7ff", "#6a3fb5"),
    "good": ("#2ee6c0", "#054f46"),
    "bad": ("#f0532d", "#820208"),
    "warn": ("#f7e463", "#8e6c1a"),
    "run": ("#4d94f0", "#2643d6"),
    "dim": ("#828790", "#707279"),
}
"""Meaning → colour on dark and on light. `STATE_COLOURS` stay apart under protan, deutan and tritan blindness."""
DARK = {name: dark for name, (dark, _) in PALETTE.items()}
LIGHT = {name: light for name, (_, light) in PALETTE.items()}
STATE_COLOURS = ("good", "bad", "warn", "run", "dim")
TONES: Mapping[str, tuple[str, str]] = {
    "": ("text", ""), "strong": ("text", "bold"), "head": ("head", "bold"), "accent": ("accent", ""),
    "title": ("accent", "bold"), "good": ("good", ""), "bad": ("bad", "bold"), "warn": ("warn", ""),
    "run": ("run", "bold"), "dim": ("dim", ""), "more": ("good", "bold underline"), "less": ("bad", "bold underline"),
}
"""Tone → colour and text style. Word differences are underlined too, so that they do not rest on colour alone."""
STAGE_SIGNS: Mapping[str, tuple[str, str]] = {
    run_view.WAITING: ("·", "dim"), run_view.CACHED: ("≡", "dim"), run_view.RUNNING: ("▶", "run"),
    run_view.DONE: ("✓", "good"), run_view.FAILED: ("✗", "bad"), run_view.STOPPED: ("■", "warn"),
}
RUN_SIGNS: Mapping[str, tuple[str, str]] = {
    run_view.RUNNING: ("▶", "run"), run_view.FINISHED: ("✓", "good"), run_view.FAILED: ("✗", "bad"),
    run_view.INTERRUPTED_RUN: ("■", "warn"), run_view.DEAD: ("†", "bad"),
}
RESULT_SIGNS: Mapping[str, tuple[str, str]] = {"won": ("▲", "good"), "lost": ("▼", "bad"), "tied": ("=", "dim")}
UNKNOWN_SIGN = ("?", "warn")


def get_stage_sign(state: str) -> Span:
    """Return the sign of a stage's state."""
    return STAGE_SIGNS.get(state, UNKNOWN_SIGN)


def format_run_state(state: str) -> Span:
    """Return sign and word of a run's state."""
    sign, tone = RUN_SIGNS.get(state, UNKNOWN_SIGN)
    return f"{sign} {state}", tone


def format_verdict(verdict: str) -> Span:
    """Return sign and word of a verdict; empty for none."""
    if not verdict:
        return "", ""
    facts = Verdict.from_word(verdict).facts
    return f"{facts.sign} {facts.title}", facts.tone
