"""The panel of metric curves of one or several runs, and the same curves as plain text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from rich.text import Text
from textual.app import RenderResult
from textual_plotext import PlotextPlot
from textual_plotext.plot import Plot

from factory.tui.theme import DARK, LIGHT
from factory.views.elements import Curve

Points = Sequence[tuple[float, float]]
TONES = ("run", "warn", "good", "bad", "accent", "dim")
MARKERS = ("braille", "dot", "x", "+", "o", "*")
"""Colour and marker of each curve by its number: curves do not differ by colour alone."""
MAX_POINTS = 240
"""Points drawn per curve: a terminal has no room for more, and drawing them would delay key presses."""
SMOOTHING = (0.0, 0.6, 0.9, 0.97)
"""Smoothing weights to choose from."""


@dataclass(frozen=True, slots=True)
class CurveStyle:
    """How curves are drawn: the smoothing weight (0 for none), and whether the scale is logarithmic."""

    smooth: float = 0.6
    log: bool = False


def smooth_points(points: Points, weight: float) -> list[tuple[float, float]]:
    """Return the exponential moving average of the values, with bias correction (Kingma & Ba 2015)."""
    smoothed, mean, share = [], 0.0, 0.0
    for x, y in points:
        mean, share = weight * mean + (1 - weight) * y, weight * share + (1 - weight)
        smoothed.append((x, mean / share))
    return smoothed


def thin_points(points: Points, limit: int = MAX_POINTS) -> list[tuple[float, float]]:
    """Return at most about `limit` points: the lowest and the highest of each stretch, and the last point."""
    step = 2 * math.ceil(len(points) / limit)
    if step <= 2:
        return list(points)
    thinned: list[tuple[float, float]] = []
    for start in range(0, len(points), step):
        part = points[start : start + step]
        # Both extremes are kept so that spikes survive; a set, as they may be the same point.
        extremes = sorted({min(part, key=itemgetter(1)), max(part, key=itemgetter(1))})
        thinned += [point for point in extremes if point != points[-1]]
    return [*thinned, points[-1]]


def filter_drawable(curve: Curve, log: bool) -> Points:
    """Return the points that can be drawn: on a logarithmic scale, those above zero."""
    return [(x, y) for x, y in curve.points if y > 0] if log else curve.points


def draw(plot: Plot, curves: Sequence[Curve], style: CurveStyle, dark: bool = True) -> None:
    """Draw curves on an empty plot. A single smoothed curve is drawn over its faint original values."""
    plot.clear_data()
    plot.clear_figure()
    plot.xaxes(True, False)
    plot.yaxes(True, False)
    colours = DARK if dark else LIGHT
    drawable = [(curve.name, kept) for curve in curves if (kept := filter_drawable(curve, style.log))]
    if style.log and drawable:
        plot.yscale("log")
    is_single = len(drawable) == 1
    for number, (name, points) in enumerate(drawable):
        if style.smooth and is_single and len(points) > 2:
            _plot_line(plot, points, None, colours["dim"], MARKERS[0])
        shown = smooth_points(points, style.smooth) if style.smooth else points
        colour, marker = colours[TONES[number % len(TONES)]], MARKERS[number % len(MARKERS)]
        _plot_line(plot, shown, None if is_single else name or None, colour, marker)


def _plot_line(plot: Plot, points: Points, label: str | None, colour: str, marker: str) -> None:
    xs, ys = zip(*thin_points(points), strict=True)
    red, green, blue = bytes.fromhex(colour[1:])
    plot.plot(list(xs), list(ys), marker=marker, color=(red, green, blue), label=label)


def render_text(curves: Sequence[Curve], style: CurveStyle, width: int, height: int) -> str:
    """Return the curves as plain text; empty when there is nothing to draw."""
    if not any(filter_drawable(curve, style.log) for curve in curves):
        return ""
    plot = Plot()
    draw(plot, curves, style)
    plot.plotsize(width, height)
    plot.theme("clear")
    return "\n".join(row.rstrip() for row in re.sub(r"\x1b\[[0-9;]*m", "", plot.build()).splitlines())


class Curves(PlotextPlot, can_focus=True):
    """A panel of curves."""

    def __init__(self, name: str, title: str) -> None:
        super().__init__(id=name, classes="panel")
        self.border_title = title
        self.curves: Sequence[Curve] = ()
        self.curve_style = CurveStyle()
        self.fingerprint: object = None

    def set_content(self, curves: Sequence[Curve], style: CurveStyle) -> None:
        """Draw curves, unless they, the style and the theme are unchanged."""
        # Drawing is slow; length and last point tell well enough whether a curve has changed.
        ends = [(curve.name, len(curve.points), curve.points[-1:]) for curve in curves]
        fingerprint = (style, self.app.current_theme.dark, ends)
        if fingerprint != self.fingerprint:
            self.curves, self.curve_style, self.fingerprint = curves, style, fingerprint
            draw(self.plt, curves, style, self.app.current_theme.dark)
            self.refresh()

    def render(self) -> RenderResult:
        """Render the curves, or a note that there are none."""
        if not any(filter_drawable(curve, self.curve_style.log) for curve in self.curves):
            return Text("no metrics yet", style="dim")
        return super().render()
