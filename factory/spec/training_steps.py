"""A training course: `objective` as a list of steps, each of which is checked and planned as a spec of that step alone.

A step is the block of an objective that may also have `rows`, which take the place of blocks of `data`, and `train`,
which is laid over the block `train`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from factory.spec.blocks import expand_bare_kinds, overlay_nodes
from factory.text.suggestions import suggest_known_name
from factory.yaml import Node, NodePath

OBJECTIVE, ROWS, TRAIN_BLOCK, DATA = "objective", "rows", "train", "data"
ROW_BLOCKS = ("sources", "synthesize", "curate")
"""Blocks of `data` that a step may have of its own."""
SHARED_ONLY = ("require", "review")
"""Blocks of `data` about the rows of the spec, which rows of a step's own do not have."""


@dataclass(frozen=True, slots=True)
class StepTree:
    """The spec of one step, or of the answers, which are those of the last step.

    `places` maps a path in this tree to that in the spec as it was written; `own_rows` names the blocks of `data` that
    are of this step.
    """

    top: Node
    places: Mapping[NodePath, NodePath] = field(default_factory=dict)
    own_rows: tuple[str, ...] = ()


def list_step_trees(top: Node) -> list[StepTree]:
    """Return the spec of each step, of a spec with a list of them; [] for one with a single objective, or for a list
    that is empty or has something else than blocks, which the spec's own checks report."""
    block = top.find((OBJECTIVE,))
    items = block.value if block and isinstance(block.value, list) else []
    if not items or not all(isinstance(item.value, dict) for item in items):
        return []
    return [_build_step_tree(top, number, item) for number, item in enumerate(items)]


def build_answering_tree(top: Node, steps: list[StepTree]) -> StepTree:
    """Return the spec of all stages but the steps: the rows are those of the spec, all else is the last step's."""
    if not steps:
        return StepTree(top)
    last = steps[-1]
    places = {path: place for path, place in last.places.items() if path[0] != DATA}
    fields = {**last.top.value, **({DATA: top.value[DATA]} if DATA in top.value else {})}
    return StepTree(Node(fields, top.location), places)


def find_misplaced_fields(top: Node) -> Iterator[tuple[NodePath, str]]:
    """Yield the path and problem of what stands in the `rows` of a step and is no block of rows."""
    block = top.find((OBJECTIVE,))
    for number, item in enumerate(block.value if block and isinstance(block.value, list) else ()):
        rows = item.get_child(ROWS)
        if rows is not None and not isinstance(rows.value, dict):
            yield (OBJECTIVE, number, ROWS), f"must be a mapping of {', '.join(ROW_BLOCKS)}"
        for name in rows.value if rows is not None and isinstance(rows.value, dict) else ():
            if name not in ROW_BLOCKS:
                yield (OBJECTIVE, number, ROWS, name), f"unknown field; {suggest_known_name(name, ROW_BLOCKS)}"


def _build_step_tree(top: Node, number: int, item: Node) -> StepTree:
    here: NodePath = (OBJECTIVE, number)
    places: dict[NodePath, NodePath] = {(OBJECTIVE,): here}
    fields = dict(top.value)
    fields[OBJECTIVE] = Node({n: v for n, v in item.value.items() if n not in (ROWS, TRAIN_BLOCK)}, item.location)
    train, rows, data = item.get_child(TRAIN_BLOCK), item.get_child(ROWS), top.get_child(DATA)
    if train is not None:
        fields[TRAIN_BLOCK] = overlay_nodes(fields.get(TRAIN_BLOCK), train)
        names = train.value if isinstance(train.value, dict) else {}
        places |= {(TRAIN_BLOCK, name): (*here, TRAIN_BLOCK, name) for name in names}
        places |= {} if isinstance(train.value, dict) else {(TRAIN_BLOCK,): (*here, TRAIN_BLOCK)}
    own = {n: v for n, v in rows.value.items() if n in ROW_BLOCKS} if rows and isinstance(rows.value, dict) else {}
    if own and rows is not None and data is not None and isinstance(data.value, dict):
        # Synthesizers and curators of other rows are not meant for those of this step.
        none = dict.fromkeys(ROW_BLOCKS[1:], Node([], rows.location)) if "sources" in own else {}
        kept = {n: v for n, v in data.value.items() if n not in SHARED_ONLY}
        fields[DATA] = Node({**kept, **none, **own}, data.location)
        places |= {(DATA, name): (*here, ROWS, name) for name in own}
    return StepTree(expand_bare_kinds(Node(fields, top.location)), places, tuple(own))
