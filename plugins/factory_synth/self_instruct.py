"""Generate instructions from instructions: a teacher extends a pool of tasks with new ones."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from random import Random

from pydantic import BaseModel, ConfigDict, Field

from factory.api import ChatRequest, ChatResponse, Row, RowsJob, make_synthetic_row, normalise
from factory_evals.rouge import compute_rouge_l
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
"""Allowed number of words of an instruction."""

REQUESTS_PER_ROUND = 32
"""Requests sent at once; the next round shows tasks generated in this one."""

MAX_SHOWN_CHARACTERS = 300
"""Maximum number of characters of each field of a task in a prompt."""

HUMAN_TASKS, GENERATED_TASKS = 6, 2
"""Tasks shown per prompt: written by people, and generated before (as in the paper)."""


# The class names and docstrings are part of the JSON schema in the prompt, and so of its cache key.
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


class SelfInstruct(TeacherSynthesizer):
    """Adds instruction rows, with the training rows as seed tasks (Self-Instruct, arXiv:2212.10560).

    A request shows eight tasks, two of them generated, and asks for a few more. A task is accepted if its instruction
    has a ROUGE-L below `max_rouge_l` with all others, text alone can solve it, and its output is not its input.
    """

    kind = "self-instruct"
    prompts = (SYSTEM, USER)

    instruction: str = Field("instruction", min_length=1, description="column of the instruction")
    input: str = Field("input", description="column of the input; empty if it is part of the instruction")
    output: str = Field("output", min_length=1, description="column of the output")
    count: int = Field(ge=1, le=100_000, description="rows to generate")
    tasks_per_request: int = Field(4, ge=1, le=10, description="tasks per request")
    max_request_ratio: float = Field(
        3.0, ge=1, le=20, description="maximum number of requests, as a multiple of those needed without rejections"
    )
    max_rouge_l: float = Field(0.7, gt=0, le=1, description="ROUGE-L from which an instruction is not new")
    temperature: float = Field(0.9, ge=0, le=2, description="sampling temperature of the teacher")
    max_tokens: int = Field(1024, ge=1, description="maximum number of tokens per answer")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(name for name in (self.instruction, self.input, self.output) if name)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        seeds, tally, rows = list(job.rows), Tally(), list[Row]()
        if not seeds:
            raise ValueError("self-instruct needs training rows as seed tasks, but there are none")
        pool = RougePool(get_column_text(row, self.instruction) for row in seeds)
        sent, budget = 0, int(-(-self.count // self.tasks_per_request) * self.max_request_ratio)
        while len(rows) < self.count and sent < budget:
            batch = min(-(-(self.count - len(rows)) // self.tasks_per_request), budget - sent, REQUESTS_PER_ROUND)
            requests = [self._build_tasks_request(seeds, rows, sent + offset) for offset in range(batch)]
            sent += batch
            for shown, reply in ask_teacher(job, requests, tally):
                rows += self._iter_new_rows(shown, reply, pool, tally)
        tally.report_tally(job.report, "tasks", len(rows[: self.count]), self.count)
        yield from prepare_made_rows(job, rows[: self.count])

    def _build_tasks_request(
        self, seeds: Sequence[Row], rows: Sequence[Row], number: int
    ) -> tuple[list[Row], ChatRequest]:
        """Build a request, with the tasks that it shows, seed tasks first."""
        draw = Random(f"{self.seed} {number}")
        generated = draw.sample(rows, min(GENERATED_TASKS, len(rows)))
        seed_count = min(HUMAN_TASKS + GENERATED_TASKS - len(generated), len(seeds))
        shown = [*draw.sample(seeds, seed_count), *generated]
        listing = "\n".join(f"{index}. {self._render_task_line(row)}" for index, row in enumerate(shown, 1))
        user = USER.replace("{count}", str(self.tasks_per_request)).replace("{tasks}", listing)
        return shown, self.build_teacher_request(SYSTEM, user, number, schema=Tasks, temperature=self.temperature)

    def _render_task_line(self, row: Row) -> str:
        """Render a task in one line, with long fields shortened."""
        fields = {"Input": str(row[self.input]) if self.input else "", "Output": str(row[self.output])}
        texts = [str(row[self.instruction]), *(f"{name}: {text}" for name, text in fields.items() if text.strip())]
        return " | ".join(textwrap.shorten(text, MAX_SHOWN_CHARACTERS, placeholder=" …") for text in texts)

    def _iter_new_rows(self, shown: Sequence[Row], reply: ChatResponse, pool: RougePool, tally: Tally) -> Iterator[Row]:
        for task in reply.value.tasks[: self.tasks_per_request]:
            instruction = task.instruction if self.input or not task.input else f"{task.instruction}\n\n{task.input}"
            reason = find_task_fault(task)
            if not reason and pool.has_near_text(instruction, self.max_rouge_l):
                reason = "is a near duplicate of a known task"
            if reason:
                tally.count_refusal(reason, task.instruction)
                continue
            pool.add(instruction)
            columns = {self.instruction: instruction, self.output: task.output}
            if self.input:
                columns[self.input] = task.input
            yield make_synthetic_row(self.kind, columns, shown, "", **self.build_provenance_detail(reply))


def find_task_fault(task: Invented) -> str:
    """Return why a task is rejected on its own, or an empty string."""
    count = len(normalise(task.instruction).split())
    if not MIN_INSTRUCTION_WORDS <= count <= MAX_INSTRUCTION_WORDS:
        return "is too short or too long"
    if NON_TEXT_WORDS.search(task.instruction):
        return "needs more than text"
    inputs = (normalise(task.input), normalise(task.instruction))
    return "repeats its input" if normalise(task.output) in inputs else ""


class RougePool:
    """Texts as words, to look up whether another text is near to one of them."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: list[tuple[list[str], Counter[str]]] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        words = normalise(text).split()
        self._texts.append((words, Counter(words)))

    def has_near_text(self, text: str, limit: float) -> bool:
        """Return whether the ROUGE-L with one of the texts is `limit` or more."""
        words = normalise(text).split()
        counts = Counter(words)
        # Shared words bound the subsequence and are cheap to count, so they are tested first.
        return any(
            2 * (counts & others).total() >= limit * (len(words) + len(other))
            and compute_rouge_l(words, other) >= limit
            for other, others in self._texts
        )
