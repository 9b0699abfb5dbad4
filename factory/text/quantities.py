"""Quantities with a unit: as specs write them, and as users read them."""

from __future__ import annotations

import string

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "MiB": 2.0**20, "GiB": 2.0**30}


def parse_quantity(text: str) -> float:
    """Convert `15m` to seconds, `4GiB` to bytes; the spec has checked the form."""
    number = text.rstrip(string.ascii_letters)
    return float(number) * UNITS[text.removeprefix(number)]


def format_bytes(count: float) -> str:
    """Format a number of bytes: `512 B`, `3.4 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
