"""Settings that a spec leaves to its rows (`auto`): how long texts may be, and how long and in which steps to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

AUTO: Literal["auto"] = "auto"
Auto = Literal["auto"]
"""The value of a field that the stage `settings` chooses, from the rows, the base and the machine."""
RANKS = (8, 16, 32, 64, 128, 256)
"""The ranks of which one is chosen for an adapter."""


def get_number(value: int | Auto, otherwise: int) -> int:
    """Return the value of a field; `otherwise` where no stage has chosen it, as in a job that a test makes."""
    return otherwise if value == "auto" else value


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of texts before anything is cut off: for each length field of an objective, those of all texts that it
    limits.

    A row makes `examples_per_row` training examples on average, such as one for each relevant document, and for an
    example up to `texts_per_example` texts are read in a step. `completions` are the tokens of every text that is
    learnt word by word, such as an answer: they decide the rank of an adapter.
    """

    fields: Mapping[str, Sequence[int]] = field(default_factory=dict)
    examples_per_row: float = 1.0
    texts_per_example: int = 1
    completions: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a task trains where its spec leaves that to the rows: in steps of at most `batch_size` rows, and in as many
    epochs as make about `steps` steps."""

    steps: int = 100
    least_epochs: int = 1
    most_epochs: int = 8
    batch_size: int = 16
    least_steps_per_epoch: int = 8
    """Few rows are taken in smaller steps, so that an epoch has so many of them."""

    def choose_batch_size(self, rows: int, most: int) -> int:
        """Return the rows of a step, halved until an epoch has enough steps (but not below 4), and until it is at most
        `most`, as many as fit into memory."""
        size = self.batch_size
        while size > 4 and size * self.least_steps_per_epoch > rows:
            size //= 2
        while size > max(1, most):
            size //= 2
        return size

    def choose_epochs(self, rows: int, batch_size: int) -> int:
        """Return the epochs that make about `steps` steps."""
        return min(self.most_epochs, max(self.least_epochs, ceil(self.steps * batch_size / max(1, rows))))
