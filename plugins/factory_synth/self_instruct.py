"""Instructions from instructions: a teacher adds to a pool of tasks what is unlike all that is in it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from factory.api import ChatRequest, ChatResponse, Row, RowsJob, make_synthetic_row, normalise
from factory_synth.rouge import RougePool
from factory_synth.synthesis_common import Tally, get_column_text, prepare_made_rows
from factory_synth.teacher_synthesizer import TeacherSynthesizer, ask_teacher

SYSTEM = """\
You invent tasks for a writing assistant that has nothing but text: no images, no sound, no files, no web. Vary the \
verb, the subject, the form of the answer and the length; questions and requests both. A task is an instruction, an \
input that it needs (empty when it needs none) and the correct, complete output.

Reply: {"tasks": [{"instruction": "Turn the sentence into the passive voice.", "input": "The baker sold the loaf.", \
"output": "The loaf was sold by the baker."}]}"""
USER = """\
Tasks that exist:
{tasks}

Write {count} more, unlike all of these. Reply with a JSON object as above."""
NON_TEXT_WORDS = re.compile(
    r"\b(?:images?|pictures?|photos?|graphs?|plots?|charts?|maps?|draw|video|audio|files?|website|url)\b", re.IGNORECASE
)
MIN_INSTRUCTION_WORDS, MAX_INSTRUCTION_WORDS = 3, 150
"""Words of an instruction."""

REQUESTS_PER_ROUND = 32
"""Requests of one round: those of the next one show what this one made."""

MAX_SHOWN_CHARACTERS = 300
"""Characters of each part of a task that a prompt shows."""

HUMAN_TASKS, GENERATED_TASKS = 6, 2
"""Tasks that a prompt shows: of people, and of those made before (as in the paper)."""


class InventedTask(BaseModel):
    """A task with its answer."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    instruction: str = Field(min_length=1)
    input: str = ""
    output: str = Field(min_length=1)


class InventedTasks(BaseModel):
    """What the teacher writes for one request."""

    model_config = ConfigDict(extra="forbid")

    tasks: list[InventedTask] = Field(min_length=1)


class SelfInstruct(TeacherSynthesizer):
    """Adds instruction rows, from the training rows as seeds (Self-Instruct, arXiv:2212.10560).

    A request shows eight tasks, two of them made before, and asks for a few more. Those stay whose instruction has a
    ROUGE-L under `rouge` with every other, that text alone can answer, and whose output is not the input again.
    """

    kind = "self-instruct"
    prompts = (SYSTEM, USER)

    instruction: str = Field("instruction", min_length=1, description="column of the instruction")
    input: str = Field("input", description="column of the input; empty where it is part of the instruction")
    output: str = Field("output", min_length=1, description="column of the output")
    count: int = Field(ge=1, le=100_000, description="rows that are wanted")
    each: int = Field(4, ge=1, le=10, description="tasks that one request asks for")
    tries: float = Field(3.0, ge=1, le=20, description="requests at most, as a multiple of those that would do")
    rouge: float = Field(0.7, gt=0, le=1, description="ROUGE-L with another instruction at which one is not new")
    temperature: float = Field(0.9, ge=0, le=2, description="of the teacher")
    max_tokens: int = Field(1024, ge=1, description="tokens of one answer, at most")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """What rows must have."""
        return tuple(name for name in (self.instruction, self.input, self.output) if name)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        seeds, tally, rows = list(job.rows), Tally(), list[Row]()
        if not seeds:
            raise ValueError("self-instruct begins with seed tasks, and there are no training rows")
        pool = RougePool(get_column_text(row, self.instruction) for row in seeds)
        asked, most = 0, int(-(-self.count // self.each) * self.tries)
        while len(rows) < self.count and asked < most:
            batch = min(-(-(self.count - len(rows)) // self.each), most - asked, REQUESTS_PER_ROUND)
            asks = [self._build_tasks_request(seeds, rows, asked + place) for place in range(batch)]
            asked += batch
            for shown, reply in ask_teacher(job, asks, tally):
                rows += self._iter_new_rows(shown, reply, pool, tally)
        tally.made_count = len(rows[: self.count])
        tally.report_tally(job.report, "tasks", self.count)
        yield from prepare_made_rows(job, rows[: self.count])

    def _build_tasks_request(self, seeds: Sequence[Row], rows: Sequence[Row], number: int) -> tuple[list[Row], ChatRequest]:
        """A request with the tasks that it shows, those of people first."""
        draw = Random(f"{self.seed} {number}")
        own = draw.sample(rows, min(GENERATED_TASKS, len(rows)))
        shown = [*draw.sample(seeds, min(HUMAN_TASKS + GENERATED_TASKS - len(own), len(seeds))), *own]
        told = "\n".join(f"{place}. {self._render_task_line(row)}" for place, row in enumerate(shown, 1))
        user = USER.replace("{count}", str(self.each)).replace("{tasks}", told)
        return shown, self.build_teacher_request(SYSTEM, user, number, schema=InventedTasks, temperature=self.temperature)

    def _render_task_line(self, row: Row) -> str:
        """A task in one line, long parts cut."""
        given = {"Input": str(row[self.input]) if self.input else "", "Output": str(row[self.output])}
        parts = [str(row[self.instruction]), *(f"{name}: {text}" for name, text in given.items() if text.strip())]
        return " | ".join(textwrap.shorten(part, MAX_SHOWN_CHARACTERS, placeholder=" …") for part in parts)

    def _iter_new_rows(self, shown: Sequence[Row], reply: ChatResponse, pool: RougePool, tally: Tally) -> Iterator[Row]:
        for task in reply.value.tasks[: self.each]:
            instruction = task.instruction if self.input or not task.input else f"{task.instruction}\n\n{task.input}"
            if why := find_task_fault(task) or ("are near to a task that exists" if pool.has_near_text(instruction, self.rouge) else ""):
                tally.count_refusal(why, task.instruction)
                continue
            pool.add(instruction)
            columns: dict[str, Any] = {self.instruction: instruction, self.output: task.output}
            if self.input:
                columns[self.input] = task.input
            yield make_synthetic_row(self.kind, columns, shown, "", **self.build_provenance_detail(reply))


def find_task_fault(task: InventedTask) -> str:
    """What is wrong with a task by itself, in words; nothing when it may stand."""
    count = len(normalise(task.instruction).split())
    if not MIN_INSTRUCTION_WORDS <= count <= MAX_INSTRUCTION_WORDS:
        return "are too short or too long"
    if NON_TEXT_WORDS.search(task.instruction):
        return "need more than text"
    given = (normalise(task.input), normalise(task.instruction))
    return "repeat their input" if normalise(task.output) in given else ""
