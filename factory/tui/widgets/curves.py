"""Curves of one or several runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.app import RenderResult
from textual_plotext import PlotextPlot
from textual_plotext.plot import Plot

from factory.tui.theme import DARK, LIGHT

Points = Sequence[tuple[float, float]]
Rgb = tuple[int, int, int]
TONES = ("run", "warn", "good", "bad", "accent", "dim")
MARKS = ("braille", "dot", "x", "+", "o", "*")
"""Of the curves, by number: each has a colour and a form of its own."""
MAX_POINTS = 240
"""Points that are drawn of a curve: more would be under each other, and cost a keystroke."""
SMOOTHING = (0.0, 0.6, 0.9, 0.97)
"""Weights of the past in the running mean that can be chosen."""


@dataclass(frozen=True, slots=True)
class CurveStyle:
    """CurveStyle curves are drawn: the weight of the past, 0 for none, and whether the scale is logarithmic."""

    smooth: float = 0.6
    log: bool = False


def smooth_points(points: Points, weight: float) -> list[tuple[float, float]]:
    """The exponential running mean, corrected for its beginning (Kingma & Ba 2015)."""
    found, mean, share = [], 0.0, 0.0
    for x, y in points:
        mean, share = weight * mean + (1 - weight) * y, weight * share + (1 - weight)
        found.append((x, mean / share))
    return found


def thin_points(points: Points, most: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most so many of them: the lowest and the highest of each stretch, and the last."""
    step = 2 * math.ceil(len(points) / most)
    if step <= 2:
        return list(points)
    parts = [points[at : at + step] for at in range(0, len(points), step)]
    kept = [sorted({min(part, key=_get_height), max(part, key=_get_height)}) for part in parts]
    return [*(point for part in kept for point in part if point != points[-1]), points[-1]]


def _get_height(point: tuple[float, float]) -> float:
    return point[1]


def filter_drawable(points: Points, log: bool) -> list[tuple[float, float]]:
    """Those that can be drawn: finite, and above zero on a logarithmic scale."""
    return [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not log)]


def draw(plot: Plot, curves: Mapping[str, Points], how: CurveStyle, dark: bool = True) -> None:
    """Put the curves on a plot. One curve alone is drawn twice when smoothed: faint as measured, and its mean."""
    plot.clear_data()
    plot.clear_figure()
    plot.xaxes(True, False)
    plot.yaxes(True, False)
    colours = DARK if dark else LIGHT
    there = {name: filter_drawable(points, how.log) for name, points in curves.items()}
    there = {name: points for name, points in there.items() if points}
    if how.log and there:
        plot.yscale("log")
    for number, (name, points) in enumerate(there.items()):
        if how.smooth and len(there) == 1 and len(points) > 2:
            _plot_line(plot, points, "", _parse_rgb(colours["dim"]), MARKS[0])
        shown = smooth_points(points, how.smooth) if how.smooth else points
        label = name if len(there) > 1 else None
        mark = MARKS[0] if number == 0 else MARKS[number % len(MARKS)]
        _plot_line(plot, shown, label, _parse_rgb(colours[TONES[number % len(TONES)]]), mark)


def _plot_line(plot: Plot, points: Points, label: str | None, colour: Rgb, mark: str) -> None:
    kept = thin_points(points)
    plot.plot([x for x, _ in kept], [y for _, y in kept], marker=mark, color=colour, label=label or None)


def _parse_rgb(colour: str) -> Rgb:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def render_text(curves: Mapping[str, Points], how: CurveStyle, width: int, height: int) -> str:
    """The curves as plain text; empty when there is nothing to draw."""
    import re

    if not any(filter_drawable(points, how.log) for points in curves.values()):
        return ""
    plot = Plot()
    draw(plot, curves, how)
    plot.plotsize(width, height)
    plot.theme("clear")
    return "\n".join(row.rstrip() for row in re.sub(r"\x1b\[[0-9;]*m", "", plot.build()).splitlines())


class Curves(PlotextPlot, can_focus=True):
    """A panel of curves."""

    def __init__(self, name: str, title: str) -> None:
        super().__init__(id=name, classes="panel")
        self.border_title = title
        self.curves: Mapping[str, Points] = {}
        self.how = CurveStyle()
        self.fingerprint: object = None

    def set_content(self, curves: Mapping[str, Points], how: CurveStyle) -> None:
        """Draw these, if they are others than before."""
        fingerprint = (
            how,
            self.app.current_theme.dark,
            {name: (len(p), p[-1] if p else None) for name, p in curves.items()},
        )
        if fingerprint == self.fingerprint:
            return
        self.curves, self.how, self.fingerprint = curves, how, fingerprint
        self.redraw()

    def render(self) -> RenderResult:
        """The curves, or that there are none."""
        if not any(filter_drawable(points, self.how.log) for points in self.curves.values()):
            return Text("no metrics yet", style="dim")
        return super().render()

    def redraw(self) -> None:
        """Draw anew, in the colours of the present theme."""
        draw(self.plt, self.curves, self.how, self.app.current_theme.dark)
        self.refresh()
