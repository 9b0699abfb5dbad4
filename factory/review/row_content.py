"""What of a row an expert judges: its input and its answer. A decision is kept by their digest, never by a row's id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory import identity
from factory.api import Row, Task
from factory.text.templates import list_slots


@dataclass(frozen=True, slots=True)
class RowContent:
    """The columns that are a row's content, and which of them are its answer."""

    columns: tuple[str, ...]
    target: tuple[str, ...]

    @classmethod
    def from_task(cls, task: Task) -> RowContent:
        """What sources must give and what templates read, but for columns that are computed.

        The answer is what the template `target` reads; without one, whatever no template reads.
        """
        templates = task.get_templates()
        read = {name: list_slots(text) for name, text in templates.items()}
        given = [name for found in read.values() for name in found if name not in task.added_columns]
        columns = tuple(dict.fromkeys([*task.columns, *given]))
        inputs = {task.text_column, *(name for part, found in read.items() if part != "target" for name in found)}
        answer = read.get("target") or [name for name in task.columns if name not in inputs]
        return cls(columns, tuple(name for name in columns if name in answer))

    def compute_content_digest(self, row: Row) -> str:
        """The key of a decision: the same for the same input and answer, in any build."""
        return identity.compute_key({name: row.columns.get(name) for name in self.columns})

    def select_inputs(self, row: Row) -> dict[str, Any]:
        """The columns of the input that the row has."""
        return {name: row[name] for name in self.columns if name not in self.target and name in row.columns}

    def select_answer(self, row: Row) -> dict[str, Any]:
        """The columns of the answer that the row has."""
        return {name: row[name] for name in self.target if name in row.columns}

    def find_answer_problem(self, answer: Mapping[str, Any], like: Mapping[str, Any]) -> str:
        """Why an edited answer can not stand for the one that it is `like`, or nothing."""
        for name, value in answer.items():
            if name not in like:
                return f"{name!r} is no column of the answer; it has {', '.join(like)}"
            if type(value) is not type(like[name]):
                return f"{name}: a {type(value).__name__} where a {type(like[name]).__name__} is wanted"
            if isinstance(value, str) and not value.strip():
                return f"{name}: nothing is left of it; reject the row instead"
        return ""
