"""The reviewed content of a row: its input and its answer. Decisions refer to its digest, not to the row's id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory import identity
from factory.api import Row, Task, is_blank
from factory.text.templates import list_slots


@dataclass(frozen=True, slots=True)
class RowContent:
    """The columns that are a row's content, and which of them are its answer."""

    columns: tuple[str, ...]
    target: tuple[str, ...]

    @classmethod
    def from_task(cls, task: Task) -> RowContent:
        """Select the columns that sources must have and that templates use, without computed ones.

        The answer is the columns of the template `target`; without one, the columns that no template uses.
        """
        slots = {name: list_slots(text) for name, text in task.get_templates().items()}
        used = [name for names in slots.values() for name in names if name not in task.added_columns]
        columns = tuple(dict.fromkeys([*task.columns, *used]))
        inputs = {task.text_column, *(name for part, names in slots.items() if part != "target" for name in names)}
        answer = slots.get("target") or [name for name in task.columns if name not in inputs]
        return cls(columns, tuple(name for name in columns if name in answer))

    def compute_content_digest(self, row: Row) -> str:
        """Return the key of a decision: equal for equal input and answer, in any build."""
        return identity.compute_key({name: row.columns.get(name) for name in self.columns})

    def select_inputs(self, row: Row) -> dict[str, Any]:
        return {name: row[name] for name in self.columns if name not in self.target and name in row.columns}

    def select_answer(self, row: Row) -> dict[str, Any]:
        return {name: row[name] for name in self.target if name in row.columns}

    def find_answer_problem(self, answer: Mapping[str, Any], original: Mapping[str, Any]) -> str:
        """Return why an edited answer cannot replace the original, or an empty string."""
        for name, value in answer.items():
            if name not in original:
                return f"{name!r} is not a column of the answer; its columns are {', '.join(original)}"
            if type(value) is not type(original[name]):
                return f"{name}: expected {type(original[name]).__name__}, not {type(value).__name__}"
            if isinstance(value, str) and is_blank(value):
                return f"{name} is empty; reject the row instead"
        return ""
