"""Replay of a finished or running build: the position in its past, and the playback speed."""

from __future__ import annotations

from dataclasses import dataclass

from factory.tui.rich_text import Line, make_line
from factory.views.formatting import format_seconds

DEFAULT_SPEED = 16.0


@dataclass
class Replay:
    """The moment shown, in seconds since the epoch; None is now. `updated_at` is the clock at the last advance."""

    moment: float | None = None
    speed: float = DEFAULT_SPEED
    playing: bool = False
    updated_at: float = 0.0

    def seek(self, share: float, bounds: tuple[float, float]) -> None:
        """Move by a share of the whole duration, from the end when now is shown, and pause."""
        low, high = bounds
        current = high if self.moment is None else self.moment
        self.moment = min(high, max(low, current + share * (high - low)))
        self.playing = False

    def toggle(self, now: float, bounds: tuple[float, float]) -> None:
        """Play or pause; from now, or from the end, playback starts at the beginning."""
        self.playing, self.updated_at = not self.playing, now
        if self.moment is None or self.moment >= bounds[1]:
            self.moment = bounds[0] if self.playing else self.moment

    def advance(self, now: float, bounds: tuple[float, float]) -> bool:
        """Advance by the time that passed. Returns whether the moment changed."""
        if not self.playing or self.moment is None:
            return False
        self.moment = min(bounds[1], self.moment + (now - self.updated_at) * self.speed)
        # Stop at the end rather than switch to now, which may be much later.
        self.updated_at = now
        self.playing = self.moment < bounds[1]
        return True

    def render(self, bounds: tuple[float, float], width: int) -> Line:
        """Return `▶ 04:12 of 14:58 ━━━●────  ×16`."""
        low, high = bounds
        at = high if self.moment is None else self.moment
        head = f"{'▶' if self.playing else '‖'} {format_seconds(at - low)} of {format_seconds(high - low)} "
        tail = f" ×{self.speed:g}  L: back to live"
        cells = max(4, width - len(head) - len(tail) - 1)
        knob = round((cells - 1) * ((at - low) / (high - low) if high > low else 1.0))
        rail = (("━" * knob, "run"), ("●", "strong"), ("─" * (cells - 1 - knob), "dim"))
        return make_line((head, "accent"), *rail, (tail, "dim"))
