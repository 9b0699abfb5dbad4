"""What states look like: a sign, a word and a tone each, and the colours of the tones on dark and on light."""

from __future__ import annotations

from collections.abc import Mapping

from factory.runs import run_view
from factory.tui.lines import Span
from factory.views import formatting

DARK = {
    "ground": "#11151c",
    "panel": "#1a202a",
    "cursor": "#2d3a50",
    "text": "#e6e9ef",
    "head": "#a9b4c6",
    "accent": "#c9a7ff",
    "good": "#2ee6c0",
    "bad": "#f0532d",
    "warn": "#f7e463",
    "run": "#4d94f0",
    "dim": "#828790",
}
LIGHT = {
    "ground": "#fbfaf7",
    "panel": "#efede6",
    "cursor": "#cfdcf2",
    "text": "#1b1e24",
    "head": "#4c5566",
    "accent": "#6a3fb5",
    "good": "#054f46",
    "bad": "#820208",
    "warn": "#8e6c1a",
    "run": "#2643d6",
    "dim": "#707279",
}
"""Colour by what it means. The five of `STATES` were chosen so that no kind of colour blindness makes two alike."""
STATES = ("good", "bad", "warn", "run", "dim")
TONES: Mapping[str, tuple[str, str]] = {
    "": ("text", ""),
    "strong": ("text", "bold"),
    "head": ("head", "bold"),
    "accent": ("accent", ""),
    "title": ("accent", "bold"),
    "good": ("good", ""),
    "bad": ("bad", "bold"),
    "warn": ("warn", ""),
    "run": ("run", "bold"),
    "dim": ("dim", ""),
    "more": ("good", "bold underline"),
    "less": ("bad", "bold underline"),
}
"""Tone → colour and how the letters are set; a difference of words is underlined, as colour alone says nothing."""
STAGES: Mapping[str, tuple[str, str]] = {
    run_view.WAITING: ("·", "dim"),
    run_view.CACHED: ("≡", "dim"),
    run_view.RUNNING: ("▶", "run"),
    run_view.DONE: ("✓", "good"),
    run_view.FAILED: ("✗", "bad"),
    run_view.STOPPED: ("■", "warn"),
}
RUNS: Mapping[str, tuple[str, str]] = {
    run_view.RUNNING: ("▶", "run"),
    run_view.FINISHED: ("✓", "good"),
    run_view.FAILED: ("✗", "bad"),
    run_view.INTERRUPTED_RUN: ("■", "warn"),
    run_view.DEAD: ("†", "bad"),
}
VERDICTS: Mapping[str, tuple[str, str, str]] = {
    formatting.SHIP: ("▲", "SHIP", "good"),
    formatting.NO_SHIP: ("✗", "NO SHIP", "bad"),
    formatting.PROMPTING_IS_ENOUGH: ("≈", "PROMPT INSTEAD", "warn"),
    formatting.INSUFFICIENT_EVIDENCE: ("?", "UNDECIDED", "warn"),
}
"""The sign, the short word and the tone of a verdict."""
RESULTS: Mapping[str, tuple[str, str]] = {"won": ("▲", "good"), "lost": ("▼", "bad"), "tied": ("=", "dim")}
UNKNOWN = ("?", "warn")
BLOCKS = " ▏▎▍▌▋▊▉█"
SPARKS = "▁▂▃▄▅▆▇█"


def stage(state: str) -> Span:
    """The sign of a stage's state."""
    return STAGES.get(state, UNKNOWN)


def state(name: str) -> Span:
    """The state of a run, sign and word."""
    sign, tone = RUNS.get(name, UNKNOWN)
    return f"{sign} {name}", tone


def verdict(name: str) -> Span:
    """A verdict, sign and word; empty for none."""
    if not name:
        return "", ""
    sign, word, tone = VERDICTS.get(name, ("?", name, "warn"))
    return f"{sign} {word}", tone


def bar(share: float, wide: int) -> str:
    """A filled part of so many cells, in eighths of a cell, on a rail."""
    eighths = round(min(1.0, max(0.0, share)) * wide * 8)
    full, part = divmod(eighths, 8)
    return "█" * full + (BLOCKS[part] if part else "") + "·" * (wide - full - bool(part))


def interval(low: float, mean: float, high: float, scale: tuple[float, float], wide: int) -> str:
    """`   ├──●──┤  ` on a scale from lowest to highest; `┊` marks zero where the scale holds it."""
    bottom, top = scale
    step = (wide - 1) / (top - bottom) if top > bottom else 0.0
    cells = [" "] * wide
    if bottom < 0 < top:
        cells[round(-bottom * step)] = "┊"
    a, b, c = (min(wide - 1, max(0, round((value - bottom) * step))) for value in (low, mean, high))
    cells[a : c + 1] = "─" * (c - a + 1)
    cells[a], cells[c] = ("├", "┤") if c > a else ("│", "│")
    cells[b] = "●"
    return "".join(cells)
