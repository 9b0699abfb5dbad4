"""The drawings of the report: intervals, a curve, durations. Colours are the style sheet's."""

from __future__ import annotations

import math
from collections.abc import Sequence

from factory.report.html import Markup, join_markup, render_element
from factory.views.formatting import format_number

WIDTH, HEIGHT = 260, 22
PAD = 6


def draw_interval(
    low: float,
    mean: float,
    high: float,
    scale: tuple[float, float],
    *,
    strong: bool = False,
    marks: Sequence[float] = (),
) -> Markup:
    """A mean with its interval on a scale; `marks` are values that get an upright line (zero, a margin)."""
    middle = HEIGHT / 2
    a, b, c = (_project_to_x(v, scale) for v in (low, mean, high))
    lines = [render_element("line", x1=_project_to_x(m, scale), x2=_project_to_x(m, scale), y1=1, y2=HEIGHT - 1, class_="mark") for m in marks]
    drawn = join_markup(
        *lines,
        render_element("line", x1=a, x2=c, y1=middle, y2=middle, class_="span"),
        render_element("line", x1=a, x2=a, y1=middle - 4, y2=middle + 4, class_="span"),
        render_element("line", x1=c, x2=c, y1=middle - 4, y2=middle + 4, class_="span"),
        render_element("circle", cx=b, cy=middle, r=4.5, class_="mean"),
    )
    said = f"{format_number(mean)}, interval {format_number(low)} to {format_number(high)}"
    return _wrap_svg(drawn, WIDTH, HEIGHT, said, "interval strong" if strong else "interval")


def _project_to_x(value: float, scale: tuple[float, float]) -> float:
    low, high = scale
    share = (value - low) / (high - low) if high > low else 0.5
    return round(PAD + min(1.0, max(0.0, share)) * (WIDTH - 2 * PAD), 1)


def _wrap_svg(drawn: Markup, width: float, height: float, said: str, kind: str) -> Markup:
    return render_element(
        "svg",
        render_element("title", said),
        drawn,
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        class_=kind,
        role="img",
    )


def compute_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values that lie between two, about so many."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def draw_curve(points: Sequence[tuple[float, float]], label: str) -> Markup:
    """A line through (step, value), faint, with its running mean over it."""
    width, height, left, bottom, top = 720.0, 240.0, 48.0, 30.0, 10.0
    kept = [(x, y) for x, y in points if math.isfinite(y)]
    if len(kept) < 2:
        return Markup("")
    right, high = max(x for x, _ in kept), max(y for _, y in kept)
    first, low = min(x for x, _ in kept), min(0.0, *(y for _, y in kept))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (right - first or 1) * (width - left - 12)
        return round(left + across, 1), round(top + (high - y) / (high - low or 1) * (height - top - bottom), 1)

    grid = [_draw_grid_level(t, place(first, t)[1], left, width) for t in compute_ticks(low, high)]
    steps = [
        render_element("text", f"{t:g}", x=place(t, low)[0], y=height - 10, class_="tick mid") for t in compute_ticks(first, right, 6)
    ]
    lines = [_draw_polyline([place(*p) for p in kept], "raw"), _draw_polyline([place(*p) for p in _smooth_points(kept)], "smooth")]
    said = f"{label}: {format_number(kept[0][1])} at step {kept[0][0]:g}, {format_number(kept[-1][1])} at step {kept[-1][0]:g}"
    return _wrap_svg(join_markup(*grid, *steps, *lines), width, height, said, "curve")


def _draw_grid_level(value: float, y: float, left: float, width: float) -> Markup:
    line = render_element("line", x1=left, x2=width - 12, y1=y, y2=y, class_="grid")
    return join_markup(line, render_element("text", f"{value:g}", x=left - 8, y=y + 4, class_="tick end"))


def _draw_polyline(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    return render_element("path", d="M" + " L".join(f"{x:g} {y:g}" for x, y in points), class_=kind)


def _smooth_points(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Running mean over about a twentieth of the points, so that a trend shows through noise."""
    reach = max(1, len(points) // 40)
    windows = [points[max(0, i - reach) : i + reach + 1] for i in range(len(points))]
    return [(point[0], sum(y for _, y in w) / len(w)) for point, w in zip(points, windows, strict=True)]


def draw_bar(share: float, said: str, width: float = 220) -> Markup:
    """A filled part of a line."""
    full = round(max(0.0, min(1.0, share)) * width, 1)
    drawn = join_markup(
        render_element("rect", x=0, y=4, width=width, height=8, rx=4, class_="rail"),
        render_element("rect", x=0, y=4, width=full, height=8, rx=4, class_="fill"),
    )
    return _wrap_svg(drawn, width, 16, said, "bar")


def draw_histogram(bars: Sequence[tuple[str, int]], said: str) -> Markup:
    """Upright bars side by side, the first and last name below: a histogram."""
    width, height, bottom, top = 340.0, 130.0, 20.0, 14.0
    most = max([count for _, count in bars] or [1]) or 1
    step = width / max(len(bars), 1)
    drawn = []
    for place, (name, count) in enumerate(bars):
        tall = round((height - bottom - top) * count / most, 1)
        left, upper = round(place * step + 1, 1), round(height - bottom - tall, 1)
        shown = render_element("title", f"{name}: {count:,}")
        drawn.append(render_element("g", shown, render_element(
            "rect", x=left, y=upper, width=round(max(1.0, step - 2), 1), height=tall, rx=1.5, class_="fill"
        )))
    line = render_element("line", x1=0, x2=width, y1=height - bottom, y2=height - bottom, class_="grid")
    first = render_element("text", bars[0][0], x=1, y=height - 6, class_="tick") if bars else None
    final = render_element("text", bars[-1][0], x=width - 1, y=height - 6, class_="tick end") if len(bars) > 1 else None
    peak = render_element("text", f"{most:,}", x=1, y=10, class_="tick")
    return _wrap_svg(join_markup(line, *drawn, first, final, peak), width, height, said, "columns")


def draw_reliability_diagram(points: Sequence[tuple[float, float]], size: int = 220) -> Markup:
    """Confidence against accuracy, a point a bin; the diagonal is perfect calibration (Guo et al. 2017)."""
    inner = size - 2 * PAD

    def place(confidence: float, accuracy: float) -> tuple[float, float]:
        return round(PAD + confidence * inner, 1), round(size - PAD - accuracy * inner, 1)

    (left, bottom), (right, top) = place(0, 0), place(1, 1)
    spots = [place(*point) for point in points]
    drawn = join_markup(
        render_element("line", x1=left, y1=bottom, x2=right, y2=top, class_="mark"),
        _draw_polyline(spots, "smooth"),
        *(render_element("circle", cx=x, cy=y, r=3.5, class_="mean") for x, y in spots),
    )
    return _wrap_svg(drawn, size, size, "accuracy by confidence; on the diagonal, a confidence is what it says", "dots")
