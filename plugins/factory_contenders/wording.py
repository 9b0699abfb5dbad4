"""How a row is put to a model: an instruction, worked examples as turns of the chat, and the question."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from factory.api import Message, Row, Task, render

CHOOSE = "Answer with exactly one of these, and nothing else: "
EMPTY = ("N/A", "[MASK]", "")
"""Texts that ask nothing, of Zhao et al. 2021."""

FENCED = re.compile(r"\s*```[\w+-]*\n(.*?)(?:\n?```\s*)?", re.DOTALL)

Chat = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One row as a prompt: the chat, its tokens, and how many examples the budget cost it."""

    chat: Chat
    tokens: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Wording:
    """The task's own messages, or its user turns under another instruction. `choices` are the answers, when few."""

    task: Task
    instruction: str = ""
    choices: Sequence[str] = ()

    def text(self, row: Row) -> str:
        """What a row is known by when rows are held against each other."""
        return str(row[self.task.text_column]) if self.task.text_column else self._split(row)[1][-1].content

    def chat(self, row: Row, shots: Sequence[Row] = ()) -> Chat:
        """System message, examples in their order, question. What the system message of an example says otherwise
        (a schema of its own) stands at the head of its first turn."""
        system, question = self._split(row)
        turns: list[Message] = []
        for shot in shots:
            own, asked = self._split(shot)
            if own and own != system:
                asked = (Message(asked[0].role, f"{own}\n\n{asked[0].content}"), *asked[1:])
            turns += [*asked, Message("assistant", self.task.render_target(shot))]
        return (*((Message("system", system),) if system else ()), *turns, *question)

    def within(self, budget: int, size: Callable[[Chat], int], row: Row, shots: Sequence[Row]) -> Asked:
        """The prompt with as many of the examples as the budget takes, the first ones dropped first."""
        for dropped in range(len(shots) + 1):
            chat = self.chat(row, shots[dropped:])
            tokens = size(chat)
            if tokens <= budget:
                break
        return Asked(chat, tokens, dropped)

    def empty(self, row: Row) -> list[Row]:
        """The row with nothing in the place of its text, thrice; none when the prompt does not show its text."""
        if not self.task.text_column:
            return []
        rows = [row.with_columns(**{self.task.text_column: text}) for text in EMPTY]
        return rows if self._split(rows[0]) != self._split(row) else []

    def _split(self, row: Row) -> tuple[str, Chat]:
        """System message, and the turns after it."""
        said = self.task.render_messages(row)
        system = "\n\n".join(message.content for message in said if message.role == "system")
        turns = tuple(message for message in said if message.role != "system")
        if not turns:
            raise ValueError(f"row {row.id!r}: the task's messages have no turn of a user")
        if self.instruction:
            system = self._instructed(row)
        if any(choice not in system for choice in self.choices):
            system = f"{system}\n{CHOOSE}{'; '.join(self.choices)}".strip()
        return system, turns

    def _instructed(self, row: Row) -> str:
        try:
            return render(self.instruction, row.columns)
        except KeyError as error:
            has = ", ".join(sorted(row.columns))
            raise ValueError(f"the instruction shows {{{error.args[0]}}}; rows have the columns {has}") from None


def bare(text: str) -> str:
    """An answer without white space around it, or a code fence around the whole of it."""
    fenced = FENCED.fullmatch(text)
    return (fenced.group(1) if fenced else text).strip()
