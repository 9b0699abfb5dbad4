"""A prompt as a bundle carries it: the instruction, the examples or the rows they are chosen from, and the limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from factory.api import AnswerJob, Row, Task, TrainResult
from factory.api.causal_lm.transformers_answers import build_chat_turns
from factory_contenders.few_shot import FewShotSelector, FixedExamples, fit_tfidf_embedder
from factory_contenders.prompt_builder import PromptBuilder
from factory_contenders.prompt_runner import PromptArm

PROMPT_FILE, EXAMPLES_FILE = "prompt.json", "examples.jsonl"
NEAREST = "nearest"
ExampleSelector = FewShotSelector | FixedExamples


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """How rows are asked, and how replies are read. Limits are in tokens; `seed` is that of the build."""

    instruction: str
    choices: tuple[str, ...]
    choice_instruction: str
    arm: PromptArm
    reading: str
    max_prompt_tokens: int
    max_new_tokens: int
    seed: int

    @property
    def is_plain(self) -> bool:
        """Whether rows are asked as the task itself asks them."""
        return not (self.arm.shots or self.instruction or self.choices)

    def build_prompt_builder(self, task: Task) -> PromptBuilder:
        """Return the builder of its prompts."""
        return PromptBuilder(task, self.instruction, self.choices, self.choice_instruction)

    def build_selector(self, folder: Path, get_text: Callable[[Row], str]) -> ExampleSelector | None:
        """Return what selects its examples among the saved rows; None without examples."""
        if not self.arm.shots:
            return None
        rows = read_examples(folder)
        if self.arm.selection != NEAREST:
            return FixedExamples(rows)
        return FewShotSelector(rows, get_text, fit_tfidf_embedder([*map(get_text, rows)]), self.seed)


def write_prompt(
    folder: Path, saved: SavedPrompt, builder: PromptBuilder, few_shot: ExampleSelector | None, job: AnswerJob
) -> TrainResult:
    """Write a prompt with its examples, or for the nearest ones all rows that they are chosen from; and, as an example
    for other software, the chat of one test row."""
    arm, shots = saved.arm, list[Row]()
    examples: list[Row] = []
    if few_shot is not None and arm.selection == NEAREST:
        shots, examples = few_shot.select_nearest(job.rows[:1], arm.shots)[0], list(job.train)
    elif few_shot is not None:
        label = job.task.render_target if saved.choices else None
        shots = examples = few_shot.select_fixed(arm.shots, label)
    chat = build_chat_turns(builder.build_prompt_chat(job.rows[0], shots))
    text = json.dumps({**asdict(saved), "chat": chat}, sort_keys=True, indent=2, ensure_ascii=False)
    (folder / PROMPT_FILE).write_text(text + "\n", encoding="utf-8")
    lines = (json.dumps(row.to_json(), ensure_ascii=False, sort_keys=True) + "\n" for row in examples)
    (folder / EXAMPLES_FILE).write_text("".join(lines), encoding="utf-8")
    facts: dict[str, Any] = {
        "shots": arm.shots, "selection": arm.selection, "reading": saved.reading, "is_plain": saved.is_plain,
        "examples": len(examples),
    }
    return TrainResult(0, 0, 0, 0, facts, "prompt")


def read_prompt(folder: Path) -> SavedPrompt:
    """Read the prompt of an artifact or bundle."""
    fields = json.loads((folder / PROMPT_FILE).read_text(encoding="utf-8"))
    fields.pop("chat")
    return SavedPrompt(**{**fields, "choices": tuple(fields["choices"]), "arm": PromptArm(**fields["arm"])})


def read_examples(folder: Path) -> list[Row]:
    """Read the rows of which the examples are chosen."""
    with (folder / EXAMPLES_FILE).open(encoding="utf-8") as file:
        return [Row.from_json(json.loads(line)) for line in file]
