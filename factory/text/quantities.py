"""Quantities with a unit, as specs write them."""

from __future__ import annotations

import string

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "MiB": 2.0**20, "GiB": 2.0**30}


def parse_quantity(text: str) -> float:
    """Convert `15m` to seconds, `4GiB` to bytes; the spec has checked the form."""
    number = text.rstrip(string.ascii_letters)
    return float(number) * UNITS[text.removeprefix(number)]
