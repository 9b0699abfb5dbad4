"""The deck of panels: which of them a terminal of some size shows, and how they share its space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.containers import Container
from textual.geometry import NULL_OFFSET, Region, Size, Spacing
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.message import Message
from textual.widget import Widget

SMALL, MEDIUM, LARGE = "small", "medium", "large"
ACTIVE = "*"
"""In an arrangement: the active panel, or the first that has no slot of its own."""
LARGE_WIDTH, LARGE_HEIGHT = 140, 30
MEDIUM_WIDTH, MEDIUM_HEIGHT = 76, 22
"""Smallest terminals, in cells, of the large and the medium layout."""


def choose_layout(width: int, height: int) -> str:
    """Return the layout for a terminal size."""
    if width >= LARGE_WIDTH and height >= LARGE_HEIGHT:
        return LARGE
    return SMALL if width < MEDIUM_WIDTH or height < MEDIUM_HEIGHT else MEDIUM


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a panel (its id or `ACTIVE`), with its share of the height or a fixed number of rows."""

    panel: str
    share: float = 1.0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """A column of panels, and its share of the width."""

    slots: tuple[Slot, ...]
    share: float = 1.0


Arrangement = Sequence[Block]


class Tiles(Layout):
    """Layout that places panels in the regions of their deck."""

    name = "tiles"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        """Return the placements of the shown panels."""
        assert isinstance(parent, Deck)
        regions = parent.compute_regions(size)
        shown = [child for child in children if child.id in regions]
        return [WidgetPlacement(regions[child.id], NULL_OFFSET, Spacing(), child) for child in shown]


class Deck(Container):
    """Panels in Tab order. Which of them are shown depends on the terminal size and on the active panel."""

    class Turned(Message):
        """Posted when another panel became active or other panels are shown."""

    def __init__(self, *panels: Widget, arrangements: Mapping[str, Arrangement]) -> None:
        super().__init__(*panels)
        self.panels = [panel.id or "" for panel in panels]
        self.titles = {panel.id or "": str(panel.border_title or panel.id) for panel in panels}
        self.arrangements = arrangements
        self.active = self.panels[0]

    @property
    def layout(self) -> Layout:
        """Tiles, whatever the style sheet says."""
        return Tiles()

    @property
    def arrangement(self) -> Arrangement:
        """The arrangement for the present terminal size."""
        return self.arrangements[choose_layout(*self.app.size)]

    def list_shown(self) -> list[str]:
        """Return the shown panels in the order of the slots."""
        slots = [slot.panel for block in self.arrangement for slot in block.slots]
        others = [panel for panel in self.panels if panel not in slots]
        active = self.active if self.active in others else next(iter(others), "")
        return [active if panel == ACTIVE else panel for panel in slots]

    def compute_regions(self, size: Size) -> dict[str | None, Region]:
        """Return the region of each shown panel by its id."""
        regions: dict[str | None, Region] = {}
        names = iter(self.list_shown())
        total, left = sum(block.share for block in self.arrangement), 0
        for i, block in enumerate(self.arrangement, 1):
            # The last block takes what rounding left; between blocks one column stays free.
            is_last = i == len(self.arrangement)
            width = size.width - left if is_last else round(size.width * block.share / total)
            panels, top = [next(names) for _ in block.slots], 0
            for panel, height in zip(panels, self._share_height(block.slots, panels, size.height), strict=True):
                regions[panel] = Region(left, top, max(0, width - int(not is_last)), height)
                top += height
            left += width
        regions.pop("", None)
        return regions

    def _share_height(self, slots: Sequence[Slot], panels: Sequence[str], total: int) -> list[int]:
        """Return the height of each slot: its share, but no more than its panel can use while another can use it."""
        # 0: as much as there is.
        limits = [
            slot.rows or (int(getattr(self.get_child_by_id(panel), "useful_height", 0)) if panel else 0)
            for slot, panel in zip(slots, panels, strict=True)
        ]
        heights, open_slots, free = [0] * len(slots), list(range(len(slots))), total
        # What a panel cannot use raises the shares of the others, so that more of them may reach their limit.
        while open_slots:
            shares = sum(slots[i].share for i in open_slots)
            full = [i for i in open_slots if limits[i] and limits[i] <= free * slots[i].share / shares]
            if not full:
                break
            for i in full:
                heights[i] = limits[i]
                free -= limits[i]
            open_slots = [i for i in open_slots if i not in full]
        shares = sum(slots[i].share for i in open_slots) or 1.0
        for i in open_slots:
            heights[i] = max(0, int(free * slots[i].share / shares))
        # The last slot without fixed rows takes what is left.
        growing = [i for i, slot in enumerate(slots) if not slot.rows] or [len(slots) - 1]
        heights[growing[-1]] += max(0, total - sum(heights))
        return heights

    def update_panels(self) -> None:
        """Show the panels of the current arrangement."""
        shown = self.list_shown()
        for panel in self.children:
            panel.display = panel.id in shown
        self.refresh(layout=True)
        self.post_message(self.Turned())

    def on_mount(self) -> None:
        """Show the first arrangement."""
        self.update_panels()

    def on_resize(self) -> None:
        """Show the arrangement for the new size."""
        self.update_panels()

    def turn(self, name: str, focus: bool = True) -> None:
        """Make a panel the active one, and give it the focus."""
        if name not in self.panels:
            return
        self.active = name
        self.update_panels()
        panel = self.get_child_by_id(name)
        if focus and panel.can_focus:
            panel.focus(scroll_visible=False)

    def step(self, by: int) -> None:
        """Turn to the panel that is `by` positions further in Tab order."""
        self.turn(self.panels[(self.panels.index(self.active) + by) % len(self.panels)])
