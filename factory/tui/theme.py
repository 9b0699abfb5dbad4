"""Theme: the colours of the dark and the light palette, and the tones of text."""

from __future__ import annotations

from collections.abc import Mapping

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
