"""Rows put to a speaker under one arm: so many examples, chosen so; and what it says to them as answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from factory.api import Answer, AnswerJob, Guide, Row
from factory_contenders.shots import Shots
from factory_contenders.speakers import Speaker, Weights, calibrated, softmax
from factory_contenders.wording import Asked, Wording, bare

PLAIN, CALIBRATED = "plain", "calibrated"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to prompt."""

    selection: str
    shots: int

    @property
    def name(self) -> str:
        return f"{self.selection} {self.shots}" if self.shots else "zero-shot"


@dataclass(frozen=True, slots=True)
class Told:
    """What was said under an arm: by variant of reading it, an answer to each row; and the prompts."""

    variants: Mapping[str, Sequence[Answer]]
    asked: Sequence[Asked]

    def __add__(self, other: Told) -> Told:
        """The same arm on more rows."""
        both = {name: [*said, *other.variants[name]] for name, said in self.variants.items()}
        return Told(both, [*self.asked, *other.asked])

    @property
    def tokens(self) -> float:
        """Mean tokens of a prompt."""
        return sum(each.tokens for each in self.asked) / max(len(self.asked), 1)

    @property
    def dropped(self) -> int:
        """Examples that the budget cost, of all prompts together."""
        return sum(each.dropped for each in self.asked)


@dataclass(frozen=True, slots=True)
class Asking:
    """All that is needed to ask: `limit` is in tokens of an answer, `budget` in tokens of a prompt."""

    job: AnswerJob
    speaker: Speaker
    wording: Wording
    shots: Shots | None
    budget: int
    limit: int

    def ask(self, rows: Sequence[Row], arm: Arm) -> Told:
        """Ask every row under an arm."""
        examples = self._examples(rows, arm)
        asked = [self._prompt(row, shown) for row, shown in zip(rows, examples, strict=True)]
        if self.wording.choices:
            return Told(self._chosen(rows, asked, examples[0] if arm.selection != "nearest" else None), asked)
        return Told({PLAIN: self._written(rows, asked)}, asked)

    def over(self, told: Told) -> int:
        """Prompts that are longer than the budget without any example; they are asked as they are."""
        return sum(each.tokens > self.budget for each in told.asked)

    def _prompt(self, row: Row, examples: Sequence[Row]) -> Asked:
        return self.wording.within(self.budget, self.speaker.size, row, examples)

    def _examples(self, rows: Sequence[Row], arm: Arm) -> list[list[Row]]:
        if not arm.shots or self.shots is None:
            return [[] for _ in rows]
        if arm.selection == "nearest":
            return self.shots.nearest(rows, arm.shots)
        return [self.shots.fixed(arm.shots, self.job.task.render_target if self.wording.choices else None)] * len(rows)

    def _written(self, rows: Sequence[Row], asked: Sequence[Asked]) -> list[Answer]:
        guides = [self._guide(row) for row in rows]
        texts = self.speaker.say([each.chat for each in asked], guides, self.limit)
        return [
            Answer(row.id, text if guide else bare(text)) for row, text, guide in zip(rows, texts, guides, strict=True)
        ]

    def _guide(self, row: Row) -> Guide | None:
        return self.job.task.build_guide(row, self.job.tables)

    def _chosen(
        self, rows: Sequence[Row], asked: Sequence[Asked], shared: Sequence[Row] | None
    ) -> dict[str, list[Answer]]:
        """Answers by the weights of the choices. Examples that all rows share can be calibrated: one prompt more."""
        empty = self.wording.empty(rows[0]) if shared is not None and self.speaker.calibrates else []
        chats = [each.chat for each in (*asked, *(self._prompt(row, shared or ()) for row in empty))]
        weights = self.speaker.weigh(chats, self.wording.choices)
        told, free = weights[: len(rows)], weights[len(rows):]
        variants = {PLAIN: self._labelled(rows, told)}
        if free:
            variants[CALIBRATED] = self._labelled(rows, [calibrated(each, free) for each in told])
        return variants

    def _labelled(self, rows: Sequence[Row], weights: Weights) -> list[Answer]:
        choices = self.wording.choices
        if self.job.task.output_type == "labels":
            return [
                Answer(row.id, dict(zip(choices, softmax(each), strict=True)))
                for row, each in zip(rows, weights, strict=True)
            ]
        return [Answer(row.id, self._best(row, each)) for row, each in zip(rows, weights, strict=True)]

    def _best(self, row: Row, weights: Sequence[float]) -> str:
        """The likeliest choice that the row's guide allows."""
        guide, choices = self._guide(row), self.wording.choices
        allowed = [place for place, choice in enumerate(choices) if guide is None or guide(choice, True)]
        return choices[max(allowed or range(len(choices)), key=lambda place: weights[place])]
