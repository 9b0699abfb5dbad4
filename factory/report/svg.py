"""SVG charts of the reports: intervals, curves, bars, histograms. Colours come from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from factory.report.html import Markup, join_markup, render_element
from factory.views.elements import Interval
from factory.views.formatting import format_number

WIDTH, HEIGHT = 260, 22
PAD = 6
STRONG_TONES = ("accent", "good")
"""Tones of intervals that are drawn in the accent colour."""


def draw_interval(interval: Interval) -> Markup:
    """Draw a mean with its interval on its scale; each mark (zero, a margin) gets a vertical line."""
    middle = HEIGHT / 2
    values = (interval.low, interval.mean, interval.high, *interval.marks)
    left, centre, right, *mark_positions = (_project_to_x(value, interval.scale) for value in values)
    lines: list[tuple[float, float, float, float, str]] = [(x, x, 1, HEIGHT - 1, "mark") for x in mark_positions]
    lines += [(left, right, middle, middle, "span"), *((x, x, middle - 4, middle + 4, "span") for x in (left, right))]
    content = join_markup(
        *(render_element("line", x1=x1, x2=x2, y1=y1, y2=y2, class_=kind) for x1, x2, y1, y2, kind in lines),
        render_element("circle", cx=centre, cy=middle, r=4.5, class_="mean"),
    )
    low, mean, high = (format_number(value) for value in values[:3])
    kind = "interval strong" if interval.tone in STRONG_TONES else "interval"
    return _wrap_svg(content, WIDTH, HEIGHT, f"{mean}, interval {low} to {high}", kind)


def _project_to_x(value: float, scale: tuple[float, float]) -> float:
    low, high = scale
    share = (value - low) / (high - low) if high > low else 0.5
    return round(PAD + min(1.0, max(0.0, share)) * (WIDTH - 2 * PAD), 1)


def _wrap_svg(content: Markup, width: float, height: float, title: str, kind: str) -> Markup:
    # The title is read by screen readers and shown as a tooltip.
    return render_element(
        "svg", render_element("title", title), content, viewBox=f"0 0 {width:g} {height:g}", width=f"{width:g}",
        height=f"{height:g}", class_=kind, role="img",
    )


def compute_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about `count` round values (multiples of 1, 2 or 5 times a power of ten) between two values."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    # The tolerance keeps a tick that equals an end despite rounding, such as 0.3 / 0.1.
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def draw_curve(points: Sequence[tuple[float, float]], label: str) -> Markup:
    """Draw (step, value) as a faint line with its moving average on top; empty with fewer than two finite points."""
    width, height, left, bottom, top = 720.0, 240.0, 48.0, 30.0, 10.0
    finite = [(x, y) for x, y in points if math.isfinite(y)]
    if len(finite) < 2:
        return Markup("")
    right, high = max(x for x, _ in finite), max(y for _, y in finite)
    # The y axis starts at zero, so that a small change does not look large.
    first, low = min(x for x, _ in finite), min(0.0, *(y for _, y in finite))

    def project(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (right - first or 1) * (width - left - 12)
        return round(left + across, 1), round(top + (high - y) / (high - low or 1) * (height - top - bottom), 1)

    grid = []
    for tick in compute_ticks(low, high):
        y = project(first, tick)[1]
        grid.append(render_element("line", x1=left, x2=width - 12, y1=y, y2=y, class_="grid"))
        grid.append(render_element("text", f"{tick:g}", x=left - 8, y=y + 4, class_="tick end"))
    steps = [
        render_element("text", f"{tick:g}", x=project(tick, low)[0], y=height - 10, class_="tick mid")
        for tick in compute_ticks(first, right, 6)
    ]
    curves = [(finite, "raw"), (_smooth_points(finite), "smooth")]
    lines = [_draw_polyline([project(*point) for point in curve], kind) for curve, kind in curves]
    start, end = (f"{format_number(y)} at step {x:g}" for x, y in (finite[0], finite[-1]))
    return _wrap_svg(join_markup(*grid, *steps, *lines), width, height, f"{label}: {start}, {end}", "curve")


def _draw_polyline(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    return render_element("path", d="M" + " L".join(f"{x:g} {y:g}" for x, y in points), class_=kind)


def _smooth_points(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the moving average over about a twentieth of the points."""
    radius = max(1, len(points) // 40)
    windows = [points[max(0, i - radius) : i + radius + 1] for i in range(len(points))]
    return [(x, sum(y for _, y in window) / len(window)) for (x, _), window in zip(points, windows, strict=True)]


def draw_bar(share: float, title: str, width: float = 220) -> Markup:
    """Draw a bar that fills a fraction of its width."""
    full = round(max(0.0, min(1.0, share)) * width, 1)
    content = join_markup(
        render_element("rect", x=0, y=4, width=width, height=8, rx=4, class_="rail"),
        render_element("rect", x=0, y=4, width=full, height=8, rx=4, class_="fill"),
    )
    return _wrap_svg(content, width, 16, title, "bar")


def draw_histogram(bars: Sequence[tuple[str, int]], title: str) -> Markup:
    """Draw a histogram of (name, count), with the first and last name below."""
    width, height, bottom, top = 340.0, 130.0, 20.0, 14.0
    largest = max([count for _, count in bars] or [1]) or 1
    step = width / max(len(bars), 1)
    elements = []
    for index, (name, count) in enumerate(bars):
        bar_height, bar_width = round((height - bottom - top) * count / largest, 1), round(max(1.0, step - 2), 1)
        x, y = round(index * step + 1, 1), round(height - bottom - bar_height, 1)
        bar = render_element("rect", x=x, y=y, width=bar_width, height=bar_height, rx=1.5, class_="fill")
        elements.append(render_element("g", render_element("title", f"{name}: {count:,}"), bar))
    line = render_element("line", x1=0, x2=width, y1=height - bottom, y2=height - bottom, class_="grid")
    first = render_element("text", bars[0][0], x=1, y=height - 6, class_="tick") if bars else None
    last = render_element("text", bars[-1][0], x=width - 1, y=height - 6, class_="tick end") if len(bars) > 1 else None
    peak = render_element("text", f"{largest:,}", x=1, y=10, class_="tick")
    return _wrap_svg(join_markup(line, *elements, first, last, peak), width, height, title, "columns")


def draw_reliability_diagram(points: Sequence[tuple[float, float]], size: int = 220) -> Markup:
    """Draw accuracy against confidence, a point per bin; the diagonal is perfect calibration (Guo et al. 2017)."""
    inner = size - 2 * PAD

    def project(confidence: float, accuracy: float) -> tuple[float, float]:
        return round(PAD + confidence * inner, 1), round(size - PAD - accuracy * inner, 1)

    (left, bottom), (right, top) = project(0, 0), project(1, 1)
    dots = [project(*point) for point in points]
    content = join_markup(
        render_element("line", x1=left, y1=bottom, x2=right, y2=top, class_="mark"), _draw_polyline(dots, "smooth"),
        *(render_element("circle", cx=x, cy=y, r=3.5, class_="mean") for x, y in dots),
    )
    return _wrap_svg(content, size, size, "accuracy by confidence; the diagonal is perfect calibration", "dots")
