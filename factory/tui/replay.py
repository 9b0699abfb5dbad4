"""Going through the past of a run: where one is, and how fast it plays."""

from __future__ import annotations

from dataclasses import dataclass

from factory.tui.lines import Line, line
from factory.views.formatting import format_seconds

SPEED = 16.0


@dataclass
class Replay:
    """A moment of the past in seconds since the epoch, or None for now."""

    at: float | None = None
    speed: float = SPEED
    playing: bool = False
    looked: float = 0.0

    def step(self, share: float, bounds: tuple[float, float]) -> None:
        """Move by a share of the whole; from now, the end is where one starts. It no longer plays."""
        low, high = bounds
        here = high if self.at is None else self.at
        self.at = min(high, max(low, here + share * (high - low)))
        self.playing = False

    def toggle(self, now: float, bounds: tuple[float, float]) -> None:
        """Play or stop; from now, or from the end, it plays from the beginning."""
        self.playing, self.looked = not self.playing, now
        if self.at is None or self.at >= bounds[1]:
            self.at = bounds[0] if self.playing else self.at

    def beat(self, now: float, bounds: tuple[float, float]) -> bool:
        """Time passed; whether another moment is shown now."""
        if not self.playing or self.at is None:
            return False
        self.at = min(bounds[1], self.at + (now - self.looked) * self.speed)
        self.looked = now
        self.playing = self.at < bounds[1]
        return True

    def line(self, bounds: tuple[float, float], room: int) -> Line:
        """`▶ 04:12 of 14:58 ━━━●────  ×16`."""
        low, high = bounds
        at = high if self.at is None else self.at
        said = f"{'▶' if self.playing else '‖'} {format_seconds(at - low)} of {format_seconds(high - low)} "
        tail = f" ×{self.speed:g}  L: back to now"
        wide = max(4, room - len(said) - len(tail) - 1)
        place = round((wide - 1) * ((at - low) / (high - low) if high > low else 1.0))
        return line(
            (said, "accent"), ("━" * place, "run"), ("●", "strong"), ("─" * (wide - 1 - place), "dim"), (tail, "dim")
        )
