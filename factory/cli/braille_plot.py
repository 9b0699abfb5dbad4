"""Line plots in braille characters: each character cell holds 2 × 4 dots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from factory.views.elements import Curve

BRAILLE_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot in a braille character (offset from U+2800), by row and column."""


def plot_braille(curve: Curve, width: int = 72, height: int = 12) -> str:
    """Plot a curve as a line: y range at the left, x range below; empty without points."""
    if not curve.points:
        return ""
    (left, right), (low, high) = ((min(v), max(v)) for v in zip(*curve.points, strict=True))
    # Dots per unit; a single point or a constant has no extent, hence `or 1`.
    x_scale, y_scale = (width * 2 - 1) / (right - left or 1), (height * 4 - 1) / (high - low or 1)
    cells = [[0] * width for _ in range(height)]
    dots = [(round((x - left) * x_scale), round((high - y) * y_scale)) for x, y in curve.points]
    for x, y in _interpolate_dots(dots):
        cells[y // 4][x // 2] |= BRAILLE_DOTS[y % 4][x % 2]
    labels = {0: f"{high:.3g}", height - 1: f"{low:.3g}"}
    margin = max(map(len, labels.values()))
    lines = [f"{labels.get(i, ''):>{margin}} │{''.join(chr(0x2800 + c) for c in row)}" for i, row in enumerate(cells)]
    first, last = f"{left:g}", f"{right:g}"
    return "\n".join([*lines, f"{'':{margin}} └{'─' * width}", f"{'':{margin}}  {first}{last:>{width - len(first)}}"])


def _interpolate_dots(dots: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield every dot on the straight lines between neighbouring dots."""
    previous = dots[0]
    for dot in dots:
        steps = max(abs(dot[0] - previous[0]), abs(dot[1] - previous[1]), 1)
        for i in range(1, steps + 1):
            x, y = (a + (b - a) * (i / steps) for a, b in zip(previous, dot, strict=True))
            yield round(x), round(y)
        previous = dot
