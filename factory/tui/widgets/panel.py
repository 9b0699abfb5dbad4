"""What all panels have in common, and how they share the screen: beside each other, or one at a time."""

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
"""Stands, in an arrangement, for the panel that was chosen last."""
WIDE, NARROW, LOW = 140, 76, 22


def choose_layout(width: int, height: int) -> str:
    """Which of the three layouts a terminal gets."""
    if width >= WIDE and height >= 30:
        return LARGE
    return SMALL if width < NARROW or height < LOW else MEDIUM


@dataclass(frozen=True, slots=True)
class Slot:
    """A panel by its id, or `ACTIVE`, and its share of the height; with `rows`, just so many."""

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
        """A placement for every panel that is shown."""
        assert isinstance(parent, Deck)
        regions = parent.regions(size)
        return [
            WidgetPlacement(regions[child.id], NULL_OFFSET, Spacing(), child)
            for child in children
            if child.id in regions
        ]


class Deck(Container):
    """Panels in their order. What is shown depends on the room, and on the panel that was chosen last."""

    class Turned(Message):
        """Another panel is the active one, or other panels are to be seen."""

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
        """That of the present size."""
        return self.arrangements[choose_layout(*self.app.size)]

    def list_shown(self) -> list[str]:
        """The panels that are to be seen, the active one in its place."""
        named = [slot.panel for block in self.arrangement for slot in block.slots]
        rest = [p for p in self.panels if p not in named]
        active = self.active if self.active in rest else next(iter(rest), "")
        return [active if name == ACTIVE else name for name in named]

    def regions(self, size: Size) -> dict[str | None, Region]:
        """Where each panel that is shown stands."""
        found, left = {}, 0
        names_left = list(self.list_shown())
        whole = sum(block.share for block in self.arrangement)
        for place, block in enumerate(self.arrangement):
            last = place == len(self.arrangement) - 1
            wide = size.width - left if last else round(size.width * block.share / whole)
            top, mine = 0, [names_left.pop(0) for _ in block.slots]
            for name, tall in zip(mine, self._heights(block.slots, mine, size.height), strict=True):
                found[name] = Region(left, top, max(0, wide - (0 if last else 1)), tall)
                top += tall
            left += wide
        return {name: region for name, region in found.items() if name}

    def _heights(self, slots: Sequence[Slot], names: Sequence[str], room: int) -> list[int]:
        """Rows of each: its share, but no more than it can use while another can."""
        most = [self._useful(slot, name) for slot, name in zip(slots, names, strict=True)]
        tall, open_slots = [0] * len(slots), list(range(len(slots)))
        free = room
        while open_slots:
            shares = sum(slots[i].share for i in open_slots)
            small = [i for i in open_slots if most[i] and most[i] <= free * slots[i].share / shares]
            if not small:
                break
            for i in small:
                tall[i] = most[i]
                free -= most[i]
            open_slots = [i for i in open_slots if i not in small]
        shares = sum(slots[i].share for i in open_slots) or 1.0
        for i in open_slots:
            tall[i] = max(0, int(free * slots[i].share / shares))
        growing = [i for i, slot in enumerate(slots) if not slot.rows] or [len(slots) - 1]
        tall[growing[-1]] += max(0, room - sum(tall))
        return tall

    def _useful(self, slot: Slot, name: str) -> int:
        """Rows that a panel can use, its edge included; 0 for as many as there are."""
        if slot.rows or not name:
            return slot.rows
        return int(getattr(self.get_child_by_id(name), "useful", 0))

    def arrange_now(self) -> None:
        """Show the panels of the current arrangement."""
        there = self.list_shown()
        for panel in self.children:
            panel.display = panel.id in there
        self.refresh(layout=True)
        self.post_message(self.Turned())

    def on_mount(self) -> None:
        """The first arrangement."""
        self.arrange_now()

    def on_resize(self) -> None:
        """Another size, maybe another arrangement."""
        self.arrange_now()

    def turn(self, name: str, focus: bool = True) -> None:
        """Make a panel the active one, and put the cursor there."""
        if name not in self.panels:
            return
        self.active = name
        self.arrange_now()
        panel = self.get_child_by_id(name)
        if focus and panel.can_focus:
            panel.focus(scroll_visible=False)

    def step(self, by: int) -> None:
        """The next panel, or the one before."""
        here = self.panels.index(self.active)
        self.turn(self.panels[(here + by) % len(self.panels)])
