"""How a row is put to a model: an instruction, worked examples as turns of the chat, and the question."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from factory.api import Message, Row, Task, render

CHOICE_INSTRUCTION = "Answer with exactly one of these, and nothing else: "
CONTENT_FREE_TEXTS = ("N/A", "[MASK]", "")
"""Texts that ask nothing, of Zhao et al. 2021."""

FENCED_ANSWER_PATTERN = re.compile(r"\s*```[\w+-]*\n(.*?)(?:\n?```\s*)?", re.DOTALL)

PromptChat = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """One row as a prompt: the chat, its tokens, and how many examples the budget cost it."""

    chat: PromptChat
    tokens: int
    examples_left_out: int


@dataclass(frozen=True, slots=True)
class PromptBuilder:
    """The task's own messages, or its user turns under another instruction. `choices` are the answers, when few."""

    task: Task
    instruction: str = ""
    choices: Sequence[str] = ()

    def get_comparison_text(self, row: Row) -> str:
        """What a row is known by when rows are held against each other."""
        return str(
            row[self.task.text_column]
        ) if self.task.text_column else self._split_system_message(row)[1][-1].content

    def build_prompt_chat(self, row: Row, shots: Sequence[Row] = ()) -> PromptChat:
        """System message, examples in their order, question. What the system message of an example says otherwise
        (a schema of its own) stands at the head of its first turn."""
        system, question = self._split_system_message(row)
        turns: list[Message] = []
        for shot in shots:
            own, asked = self._split_system_message(shot)
            if own and own != system:
                asked = (Message(asked[0].role, f"{own}\n\n{asked[0].content}"), *asked[1:])
            turns += [*asked, Message("assistant", self.task.render_target(shot))]
        return (*((Message("system", system),) if system else ()), *turns, *question)

    def fit_to_budget(
        self, budget: int, size: Callable[[PromptChat], int], row: Row, shots: Sequence[Row]
    ) -> RenderedPrompt:
        """The prompt with as many of the examples as the budget takes, the first ones dropped first."""
        for dropped in range(len(shots) + 1):
            chat = self.build_prompt_chat(row, shots[dropped:])
            tokens = size(chat)
            if tokens <= budget:
                break
        return RenderedPrompt(chat, tokens, dropped)

    def build_content_free_rows(self, row: Row) -> list[Row]:
        """The row with nothing in the place of its text, thrice; none when the prompt does not show its text."""
        if not self.task.text_column:
            return []
        rows = [row.with_columns(**{self.task.text_column: text}) for text in CONTENT_FREE_TEXTS]
        return rows if self._split_system_message(rows[0]) != self._split_system_message(row) else []

    def _split_system_message(self, row: Row) -> tuple[str, PromptChat]:
        """System message, and the turns after it."""
        said = self.task.render_messages(row)
        system = "\n\n".join(message.content for message in said if message.role == "system")
        turns = tuple(message for message in said if message.role != "system")
        if not turns:
            raise ValueError(f"row {row.id!r}: the task's messages have no turn of a user")
        if self.instruction:
            system = self._render_instruction(row)
        if any(choice not in system for choice in self.choices):
            system = f"{system}\n{CHOICE_INSTRUCTION}{'; '.join(self.choices)}".strip()
        return system, turns

    def _render_instruction(self, row: Row) -> str:
        try:
            return render(self.instruction, row.columns)
        except KeyError as error:
            has = ", ".join(sorted(row.columns))
            raise ValueError(f"the instruction shows {{{error.args[0]}}}; rows have the columns {has}") from None


def strip_code_fence(text: str) -> str:
    """An answer without white space around it, or a code fence around the whole of it."""
    fenced = FENCED_ANSWER_PATTERN.fullmatch(text)
    return (fenced.group(1) if fenced else text).strip()
