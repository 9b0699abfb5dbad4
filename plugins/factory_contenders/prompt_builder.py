"""Prompts: an instruction, few-shot examples as turns of the chat, and the question."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from factory.api import Message, Row, Task, render

CHOICE_INSTRUCTION = "Answer with exactly one of these, and nothing else: "
CONTENT_FREE_TEXTS = ("N/A", "[MASK]", "")
"""Content-free inputs of Zhao et al. 2021."""

FENCED_ANSWER_PATTERN = re.compile(r"\s*```[\w+-]*\n(.*?)(?:\n?```\s*)?", re.DOTALL)

PromptChat = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """The prompt of a row: the chat, its tokens, and the number of examples that did not fit."""

    chat: PromptChat
    tokens: int
    examples_left_out: int


@dataclass(frozen=True, slots=True)
class PromptBuilder:
    """Builds prompts from the task's messages, or its user turns under another instruction. `choices` are listed."""

    task: Task
    instruction: str = ""
    choices: Sequence[str] = ()
    choice_instruction: str = CHOICE_INSTRUCTION

    def get_comparison_text(self, row: Row) -> str:
        """Return the text by which rows are compared."""
        column = self.task.text_column
        return str(row[column]) if column else self._split_system_message(row)[1][-1].content

    def build_prompt_chat(self, row: Row, shots: Sequence[Row] = ()) -> PromptChat:
        """Return system message, examples in order, and question. An example with another system message (such as its
        own schema) has it at the head of its first turn."""
        system, question = self._split_system_message(row)
        turns: list[Message] = []
        for shot in shots:
            shot_system, shot_turns = self._split_system_message(shot)
            if shot_system and shot_system != system:
                shot_turns = (Message(shot_turns[0].role, f"{shot_system}\n\n{shot_turns[0].content}"), *shot_turns[1:])
            turns += [*shot_turns, Message("assistant", self.task.render_target(shot))]
        return (*((Message("system", system),) if system else ()), *turns, *question)

    def fit_to_budget(
        self, budget: int, size: Callable[[PromptChat], int], row: Row, shots: Sequence[Row]
    ) -> RenderedPrompt:
        """Return the prompt with as many examples as fit into `budget` tokens; the first ones are dropped first."""
        for dropped in range(len(shots) + 1):
            chat = self.build_prompt_chat(row, shots[dropped:])
            tokens = size(chat)
            if tokens <= budget:
                break
        return RenderedPrompt(chat, tokens, dropped)

    def build_content_free_rows(self, row: Row) -> list[Row]:
        """Return copies of the row with content-free texts; none if the prompt does not show the row's text."""
        if not self.task.text_column:
            return []
        rows = [row.with_columns(**{self.task.text_column: text}) for text in CONTENT_FREE_TEXTS]
        return rows if self._split_system_message(rows[0]) != self._split_system_message(row) else []

    def _split_system_message(self, row: Row) -> tuple[str, PromptChat]:
        """Return the system message and the turns after it."""
        messages = self.task.render_messages(row)
        system = "\n\n".join(message.content for message in messages if message.role == "system")
        turns = tuple(message for message in messages if message.role != "system")
        if not turns:
            raise ValueError(f"row {row.id!r}: the task renders no user message")
        if self.instruction:
            try:
                system = render(self.instruction, row.columns)
            except KeyError as error:
                known = ", ".join(sorted(row.columns))
                message = f"the instruction has {{{error.args[0]}}}, which is not a column; available: {known}"
                raise ValueError(message) from None
        if any(choice not in system for choice in self.choices):
            system = f"{system}\n{self.choice_instruction}{'; '.join(self.choices)}".strip()
        return system, turns


def strip_code_fence(text: str) -> str:
    """Strip white space, and a code fence around the whole answer."""
    fenced = FENCED_ANSWER_PATTERN.fullmatch(text)
    return (fenced.group(1) if fenced else text).strip()
