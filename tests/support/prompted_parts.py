"""A small world for prompting: a task that shouts, one that labels, and a decoder that reads characters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tiny_parts import Voice

from factory.api import (
    Answer,
    AnswerJob,
    Artifact,
    Base,
    Generation,
    Grammar,
    Message,
    Objective,
    Provenance,
    Row,
    Task,
)

HERE = Provenance("parts")
BASE = Base(Path("nowhere"), "tiny/talker", "1", "0", "MIT")
EXAMPLE = "\nA: "


class Shouting(Task):
    """Say it again, loud."""

    kind = "shouting"
    columns = ("text", "loud")
    output_type = "text"
    text_column = "text"

    def get_templates(self) -> dict[str, str]:
        return {"system": "Shout.", "prompt": "{text}", "target": "{loud}"}


class Moody(Shouting):
    """Say which mood it is: `answers` are labels."""

    kind = "moody"
    output_type = "labels"

    def list_choices(self, rows: Sequence[Row]) -> tuple[str, ...]:
        return tuple(sorted({row["loud"] for row in rows}))


class Talker:
    """A decoder whose tokens are the characters of a chat written out; `mind` maps such a chat to what it says."""

    def __init__(self, mind: Callable[[str], str], weight: Callable[[str, str], float] | None = None) -> None:
        self.mind, self.weight = mind, weight or (lambda prompt, choice: 0.0)
        self.prompts: list[str] = []

    def tokenize_chat(self, messages: Sequence[Message]) -> list[int]:
        return [ord(c) for c in "".join(f"\n{message.role[0].upper()}: {message.content}" for message in messages)]

    def tokenize_answer(self, text: str) -> list[int]:
        return [ord(c) for c in f"{text}."]

    def generate_texts(self, prompts: Any, limit: int, grammars: Any = (), report: Any = None) -> list[Generation]:
        texts = ["".join(map(chr, prompt)) for prompt in prompts]
        self.prompts += texts
        said = [self.mind(text) for text in texts]
        return [
            Generation(allowed(text[:limit], grammar) if grammar else text[:limit], len(text), len(text) < limit)
            for text, grammar in zip(said, grammars, strict=True)
        ]

    def compute_choice_logprobs(self, prompts: Any, choices: Any, report: Any = None) -> list[list[float]]:
        texts = ["".join(map(chr, prompt)) for prompt in prompts]
        self.prompts += texts
        named = [["".join(map(chr, ids[:-1])) for ids in each] for each in choices]
        return [[self.weight(text, name) for name in each] for text, each in zip(texts, named, strict=True)]


def allowed(text: str, grammar: Grammar) -> str:
    """The characters of a text that the grammar lets stand where they come."""
    kept = ""
    for character in text:
        kept += character if grammar.accepts_prefix(kept + character) else ""
    return kept


class TalkKit:
    """A kit with the decoder alone, and embeddings by first letters."""

    def __init__(self, talker: Talker) -> None:
        self.talker = talker

    def load_decoder(self, base: Base, artifact: Artifact | None = None) -> Talker:
        return self.talker

    def embed(self, base: Base, texts: Sequence[str], report: Any = None) -> Any:
        import numpy as np

        angles = [(ord(text[0].lower()) - 97) / 26 * math.pi for text in texts]
        return np.array([[math.cos(angle), math.sin(angle)] for angle in angles], dtype=np.float32)


def rows(prefix: str, *pairs: tuple[str, str]) -> list[Row]:
    return [Row(f"{prefix}{place}", {"text": text, "loud": loud}, HERE) for place, (text, loud) in enumerate(pairs)]


def shouted(prefix: str, *texts: str) -> list[Row]:
    return rows(prefix, *((text, text.upper()) for text in texts))


def exact(asked: Sequence[Row], answers: Sequence[Answer]) -> float:
    """The share of right answers; of labels, the probability of the right one."""
    right = [a.output == r["loud"] if isinstance(a.output, str) else a.output[r["loud"]]
             for r, a in zip(asked, answers, strict=True)]
    return sum(right) / len(right)


def job(task: Task, talker: Talker | None = None, voice: Voice | None = None, **changed: Any) -> AnswerJob:
    words = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen"]
    parts: dict[str, Any] = {
        "rows": shouted("t", "owl", "pig"), "train": shouted("r", *words), "validation": shouted("v", "ram", "yak"),
        "models": {"embedder": BASE, "prompter": BASE}, **changed,
    }
    return AnswerJob(
        seed=7, report=voice or Voice(), root=Path(), base=BASE, task=task, objective=Objective(), artifact=None,
        validation_scorer=exact, kit_loader=lambda: TalkKit(talker or Talker(str)),  # type: ignore[arg-type, return-value]
        **parts,
    )
