"""Colour vision: simulated colour blindness, perceptual distance (CIEDE2000), and WCAG contrast."""

from __future__ import annotations

import math

Triple = tuple[float, float, float]
Matrix = tuple[Triple, Triple, Triple]

BLINDNESS: dict[str, Matrix] = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""Machado, Oliveira & Fernandes 2009, table for severity 1.0; the matrices apply to linear RGB."""
WHITE = (0.95047, 1.0, 1.08883)
"""White point of D65 daylight."""


def to_linear_rgb(colour: str) -> Triple:
    """Return `#rrggbb` as linear RGB, each 0 to 1 (IEC 61966-2-1)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return red, green, blue


def simulate_blindness(colour: Triple, kind: str = "") -> Triple:
    """Return a linear colour as seen with a kind of colour blindness; unchanged without one."""
    if not kind:
        return colour
    red, green, blue = (
        min(1.0, max(0.0, sum(m * c for m, c in zip(row, colour, strict=True)))) for row in BLINDNESS[kind]
    )
    return red, green, blue


def to_lab(colour: Triple) -> Triple:
    """Convert linear RGB to CIE L*a*b*."""
    red, green, blue = colour
    x = 0.4124564 * red + 0.3575761 * green + 0.1804375 * blue
    y = 0.2126729 * red + 0.7151522 * green + 0.0721750 * blue
    z = 0.0193339 * red + 0.1191920 * green + 0.9503041 * blue
    fx, fy, fz = (
        t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116
        for t in (x / WHITE[0], y / WHITE[1], z / WHITE[2])
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def compute_distance(one: str, other: str, kind: str = "") -> float:
    """Return the CIEDE2000 distance of two colours, optionally with colour blindness; below 2 it is not noticeable."""
    left, right = (to_lab(simulate_blindness(to_linear_rgb(colour), kind)) for colour in (one, other))
    return compute_ciede2000(left, right)


def compute_ciede2000(one: Triple, other: Triple) -> float:
    """Return the CIEDE2000 distance of two L*a*b* colours (Sharma, Wu & Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    stretch = 1 + 0.5 * (1 - math.sqrt(mean**7 / (mean**7 + 25**7)))
    c1, c2 = math.hypot(a1 * stretch, b1), math.hypot(a2 * stretch, b2)
    h1, h2 = (math.degrees(math.atan2(b, a * stretch)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    middle = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    hue = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    sl = 1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * chroma, 1 + 0.015 * chroma * _compute_hue_weight(middle)
    blue = 30 * math.exp(-(((middle - 275) / 25) ** 2))
    twist = -2 * math.sqrt(chroma**7 / (chroma**7 + 25**7)) * math.sin(math.radians(2 * blue))
    dl, dc, dh = (l2 - l1) / sl, (c2 - c1) / sc, hue / sh
    return math.sqrt(dl**2 + dc**2 + dh**2 + twist * dc * dh)


def _compute_hue_weight(hue: float) -> float:
    turns = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    return 1 + sum(share * math.cos(math.radians(times * hue + by)) for share, times, by in turns)


def compute_contrast(one: str, other: str) -> float:
    """Return the WCAG 2 contrast of two colours: 1 for none, 4.5 for readable text, 21 at most."""
    light, dark = sorted(
        (0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (to_linear_rgb(one), to_linear_rgb(other))), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)
