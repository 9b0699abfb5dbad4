"""SVG charts of the reports: intervals, curves, bars, histograms. Colours come from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from factory.runs.profile import Histogram
from factory.views.elements import Curve, Interval, ShareBar
from factory.views.formatting import clean_line, format_number
from factory.views.rows_page import describe_distribution

WIDTH, HEIGHT, PAD, BAR_WIDTH, SQUARE = 260, 22, 6, 120, 220
STRONG_TONES = ("accent", "good")
"""Tones of intervals that are drawn in the accent colour."""

# Markup.format escapes its arguments. The title is read by screen readers and shown as a tooltip.
SVG = Markup(
    '<svg viewBox="0 0 {0:g} {1:g}" width="{0:g}" height="{1:g}" class="{2}" role="img"><title>{3}</title>{4}</svg>'
)
LINE = Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>')
DOT = Markup('<circle cx="{}" cy="{}" r="{}" class="mean"/>')
RECT = Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="{}" class="{}"/>')
LABEL = Markup('<text x="{}" y="{}" class="{}">{}</text>')
PATH = Markup('<path d="{}" class="{}"/>')
GROUP = Markup("<g><title>{}</title>{}</g>")

Points = Sequence[tuple[float, float]]


def draw_chart(value: object) -> Markup:
    """Draw an element of the views, or a histogram of rows; empty if it is a text."""
    match value:
        case Interval():
            return draw_interval(value)
        case ShareBar():
            return draw_bar(value)
        case Curve():
            return draw_reliability_diagram(value) if value.diagonal else draw_curve(value)
        case Histogram():
            return draw_histogram(value)
    return Markup("")


def _wrap_svg(content: Sequence[Markup], width: float, height: float, title: str, kind: str) -> Markup:
    return SVG.format(width, height, kind, clean_line(title), Markup("").join(content))


def draw_interval(interval: Interval) -> Markup:
    """Draw a mean with its interval on its scale; each mark (zero, a margin) gets a vertical line."""
    middle = HEIGHT / 2
    values = (interval.low, interval.mean, interval.high, *interval.marks)
    left, centre, right, *mark_positions = (_project_to_x(value, interval.scale) for value in values)
    lines = [LINE.format(x, 1, x, HEIGHT - 1, "mark") for x in mark_positions]
    lines.append(LINE.format(left, middle, right, middle, "span"))
    lines += [LINE.format(x, middle - 4, x, middle + 4, "span") for x in (left, right)]
    low, mean, high = (format_number(value) for value in values[:3])
    kind = "interval strong" if interval.tone in STRONG_TONES else "interval"
    title = f"{mean}, interval {low} to {high}"
    return _wrap_svg([*lines, DOT.format(centre, middle, 4.5)], WIDTH, HEIGHT, title, kind)


def _project_to_x(value: float, scale: tuple[float, float]) -> float:
    low, high = scale
    share = (value - low) / (high - low) if high > low else 0.5
    return round(PAD + min(1.0, max(0.0, share)) * (WIDTH - 2 * PAD), 1)


def draw_bar(bar: ShareBar) -> Markup:
    """Draw a bar that fills its share of the width."""
    full = round(max(0.0, min(1.0, bar.share)) * BAR_WIDTH, 1)
    content = [RECT.format(0, 4, BAR_WIDTH, 8, 4, "rail"), RECT.format(0, 4, full, 8, 4, "fill")]
    return _wrap_svg(content, BAR_WIDTH, 16, bar.label or f"{bar.share:.0%}", "bar")


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


def draw_curve(curve: Curve) -> Markup:
    """Draw a curve as a faint line with its moving average on top; empty with fewer than two points."""
    if len(curve.points) < 2:
        return Markup("")
    width, height, left, bottom, top = 720.0, 240.0, 48.0, 30.0, 10.0
    (first, right), (low, high) = ((min(values), max(values)) for values in zip(*curve.points, strict=True))
    low = min(0.0, low)  # the y axis starts at zero, so that a small change does not look large

    def project(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (right - first or 1) * (width - left - 12)
        return round(left + across, 1), round(top + (high - y) / (high - low or 1) * (height - top - bottom), 1)

    content = []
    for tick in compute_ticks(low, high):
        y = project(first, tick)[1]
        content += [LINE.format(left, y, width - 12, y, "grid"), LABEL.format(left - 8, y + 4, "tick end", f"{tick:g}")]
    for tick in compute_ticks(first, right, 6):
        content.append(LABEL.format(project(tick, low)[0], height - 10, "tick mid", f"{tick:g}"))
    for points, kind in ((curve.points, "raw"), (_smooth_points(curve.points), "smooth")):
        content.append(_draw_polyline([project(*point) for point in points], kind))
    return _wrap_svg(content, width, height, curve.summary, "curve")


def _draw_polyline(points: Points, kind: str) -> Markup:
    return PATH.format("M" + " L".join(f"{x:g} {y:g}" for x, y in points), kind)


def _smooth_points(points: Points) -> Points:
    """Return the moving average over about a twentieth of the points."""
    radius = max(1, len(points) // 40)
    windows = [points[max(0, i - radius) : i + radius + 1] for i in range(len(points))]
    return [(x, sum(y for _, y in window) / len(window)) for (x, _), window in zip(points, windows, strict=True)]


def draw_histogram(histogram: Histogram) -> Markup:
    """Draw a histogram with the largest count above, and the first and last bin's name below."""
    width, height, bottom, top = 340.0, 130.0, 20.0, 14.0
    bins, largest = histogram.bins, max([each.rows for each in histogram.bins] or [1]) or 1
    step = width / max(len(bins), 1)
    content = [LINE.format(0, height - bottom, width, height - bottom, "grid")]
    for index, each in enumerate(bins):
        bar_height, bar_width = round((height - bottom - top) * each.rows / largest, 1), round(max(1.0, step - 2), 1)
        x, y = round(index * step + 1, 1), round(height - bottom - bar_height, 1)
        bar = RECT.format(x, y, bar_width, bar_height, 1.5, "fill")
        content.append(GROUP.format(f"{clean_line(each.name)}: {each.rows:,}", bar))
    names = [(1.0, "tick", bins[0].name)] if bins else []
    names += [(width - 1, "tick end", bins[-1].name)] if len(bins) > 1 else []
    content += [LABEL.format(x, height - 6, kind, clean_line(name)) for x, kind, name in names]
    content.append(LABEL.format(1, 10, "tick", f"{largest:,}"))
    return _wrap_svg(content, width, height, f"{histogram.title}: {describe_distribution(histogram)}", "columns")


def draw_reliability_diagram(curve: Curve) -> Markup:
    """Draw a curve of the unit square, a dot per point, beside the diagonal."""

    def project(x: float, y: float) -> tuple[float, float]:
        return round(PAD + x * (SQUARE - 2 * PAD), 1), round(SQUARE - PAD - y * (SQUARE - 2 * PAD), 1)

    dots = [project(*point) for point in curve.points]
    content = [LINE.format(*project(0, 0), *project(1, 1), "mark"), _draw_polyline(dots, "smooth")]
    return _wrap_svg([*content, *(DOT.format(x, y, 3.5) for x, y in dots)], SQUARE, SQUARE, curve.summary, "dots")
