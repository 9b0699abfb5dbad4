"""Instructions from instructions: a teacher adds to a pool of tasks what is unlike all that is in it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from factory.api import ChatRequest, ChatResponse, Row, RowsJob, make_synthetic_row, normalise
from factory_synth.asking import Asking, answered
from factory_synth.parts import Tally, finished, text_of
from factory_synth.rouge import Pool

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
UNABLE = re.compile(
    r"\b(?:images?|pictures?|photos?|graphs?|plots?|charts?|maps?|draw|video|audio|files?|website|url)\b", re.IGNORECASE
)
SHORTEST, LONGEST = 3, 150
"""Words of an instruction."""

BATCH = 32
"""Requests of one round: those of the next one show what this one made."""

SHOWN = 300
"""Characters of each part of a task that a prompt shows."""

HUMAN, OWN = 6, 2
"""Tasks that a prompt shows: of people, and of those made before (as in the paper)."""


class Invented(BaseModel):
    """A task with its answer."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    instruction: str = Field(min_length=1)
    input: str = ""
    output: str = Field(min_length=1)


class Tasks(BaseModel):
    """What the teacher writes for one request."""

    model_config = ConfigDict(extra="forbid")

    tasks: list[Invented] = Field(min_length=1)


class SelfInstruct(Asking):
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
        pool = Pool(text_of(row, self.instruction) for row in seeds)
        asked, most = 0, int(-(-self.count // self.each) * self.tries)
        while len(rows) < self.count and asked < most:
            batch = min(-(-(self.count - len(rows)) // self.each), most - asked, BATCH)
            asks = [self._ask(seeds, rows, asked + place) for place in range(batch)]
            asked += batch
            for shown, reply in answered(job, asks, tally):
                rows += self._new(shown, reply, pool, tally)
        tally.made = len(rows[: self.count])
        tally.tell(job.report, "tasks", self.count)
        yield from finished(job, rows[: self.count])

    def _ask(self, seeds: Sequence[Row], rows: Sequence[Row], number: int) -> tuple[list[Row], ChatRequest]:
        """A request with the tasks that it shows, those of people first."""
        draw = Random(f"{self.seed} {number}")
        own = draw.sample(rows, min(OWN, len(rows)))
        shown = [*draw.sample(seeds, min(HUMAN + OWN - len(own), len(seeds))), *own]
        told = "\n".join(f"{place}. {self._told(row)}" for place, row in enumerate(shown, 1))
        user = USER.replace("{count}", str(self.each)).replace("{tasks}", told)
        return shown, self.request(SYSTEM, user, number, schema=Tasks, temperature=self.temperature)

    def _told(self, row: Row) -> str:
        """A task in one line, long parts cut."""
        given = {"Input": str(row[self.input]) if self.input else "", "Output": str(row[self.output])}
        parts = [str(row[self.instruction]), *(f"{name}: {text}" for name, text in given.items() if text.strip())]
        return " | ".join(textwrap.shorten(part, SHOWN, placeholder=" …") for part in parts)

    def _new(self, shown: Sequence[Row], reply: ChatResponse, pool: Pool, tally: Tally) -> Iterator[Row]:
        for task in reply.value.tasks[: self.each]:
            instruction = task.instruction if self.input or not task.input else f"{task.instruction}\n\n{task.input}"
            if why := fault(task) or ("are near to a task that exists" if pool.holds(instruction, self.rouge) else ""):
                tally.refuse(why, task.instruction)
                continue
            pool.add(instruction)
            columns: dict[str, Any] = {self.instruction: instruction, self.output: task.output}
            if self.input:
                columns[self.input] = task.input
            yield make_synthetic_row(self.kind, columns, shown, "", **self.detail(reply))


def fault(task: Invented) -> str:
    """What is wrong with a task by itself, in words; nothing when it may stand."""
    count = len(normalise(task.instruction).split())
    if not SHORTEST <= count <= LONGEST:
        return "are too short or too long"
    if UNABLE.search(task.instruction):
        return "need more than text"
    given = (normalise(task.input), normalise(task.instruction))
    return "repeat their input" if normalise(task.output) in given else ""
