"""Rows put to a speaker under one arm: so many examples, chosen so; and what it says to them as answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from factory.api import Answer, AnswerJob, Guide, Row
from factory_contenders.chat_backends import ChatBackend, ChoiceLogprobs, calibrate_logprobs, exponentiate_logprobs
from factory_contenders.few_shot import FewShotSelector
from factory_contenders.prompt_builder import PromptBuilder, RenderedPrompt, strip_code_fence

PLAIN_READING, CALIBRATED_READING = "plain", "calibrated"


@dataclass(frozen=True, slots=True)
class PromptArm:
    """One way to prompt."""

    selection: str
    shots: int

    @property
    def name(self) -> str:
        return f"{self.selection} {self.shots}" if self.shots else "zero-shot"


@dataclass(frozen=True, slots=True)
class ArmAnswers:
    """What was said under an arm: by variant of reading it, an answer to each row; and the prompts."""

    variants: Mapping[str, Sequence[Answer]]
    prompts: Sequence[RenderedPrompt]

    def __add__(self, other: ArmAnswers) -> ArmAnswers:
        """The same arm on more rows."""
        both = {name: [*said, *other.variants[name]] for name, said in self.variants.items()}
        return ArmAnswers(both, [*self.prompts, *other.prompts])

    @property
    def mean_prompt_tokens(self) -> float:
        """Mean tokens of a prompt."""
        return sum(each.tokens for each in self.prompts) / max(len(self.prompts), 1)

    @property
    def examples_left_out(self) -> int:
        """Examples that the budget cost, of all prompts together."""
        return sum(each.examples_left_out for each in self.prompts)


@dataclass(frozen=True, slots=True)
class PromptRunner:
    """All that is needed to ask: `limit` is in tokens of an answer, `budget` in tokens of a prompt."""

    job: AnswerJob
    backend: ChatBackend
    prompt_builder: PromptBuilder
    few_shot: FewShotSelector | None
    prompt_budget: int
    max_answer_tokens: int

    def run_arm(self, rows: Sequence[Row], arm: PromptArm) -> ArmAnswers:
        """Ask every row under an arm."""
        examples = self._select_arm_examples(rows, arm)
        asked = [self._build_budgeted_prompt(row, shown) for row, shown in zip(rows, examples, strict=True)]
        if self.prompt_builder.choices:
            return ArmAnswers(
                self._answer_by_choice(rows, asked, examples[0] if arm.selection != "nearest" else None), asked
            )
        return ArmAnswers({PLAIN_READING: self._generate_text_answers(rows, asked)}, asked)

    def count_over_budget(self, told: ArmAnswers) -> int:
        """Prompts that are longer than the budget without any example; they are asked as they are."""
        return sum(each.tokens > self.prompt_budget for each in told.prompts)

    def _build_budgeted_prompt(self, row: Row, examples: Sequence[Row]) -> RenderedPrompt:
        return self.prompt_builder.fit_to_budget(self.prompt_budget, self.backend.count_chat_tokens, row, examples)

    def _select_arm_examples(self, rows: Sequence[Row], arm: PromptArm) -> list[list[Row]]:
        if not arm.shots or self.few_shot is None:
            return [[] for _ in rows]
        if arm.selection == "nearest":
            return self.few_shot.select_nearest(rows, arm.shots)
        return [
            self.few_shot.select_fixed(arm.shots, self.job.task.render_target if self.prompt_builder.choices else None)
        ] * len(rows)

    def _generate_text_answers(self, rows: Sequence[Row], asked: Sequence[RenderedPrompt]) -> list[Answer]:
        guides = [self._build_row_guide(row) for row in rows]
        texts = self.backend.generate_replies([each.chat for each in asked], guides, self.max_answer_tokens)
        return [
            Answer(row.id, text if guide else strip_code_fence(text)) for row, text,
            guide in zip(rows, texts, guides, strict=True)
        ]

    def _build_row_guide(self, row: Row) -> Guide | None:
        return self.job.task.build_guide(row, self.job.tables)

    def _answer_by_choice(
        self, rows: Sequence[Row], asked: Sequence[RenderedPrompt], shared: Sequence[Row] | None
    ) -> dict[str, list[Answer]]:
        """Answers by the weights of the choices. Examples that all rows share can be calibrated: one prompt more."""
        empty = self.prompt_builder.build_content_free_rows(
            rows[0]
        ) if shared is not None and self.backend.can_calibrate else []
        chats = [each.chat for each in (*asked, *(self._build_budgeted_prompt(row, shared or ()) for row in empty))]
        weights = self.backend.score_choices(chats, self.prompt_builder.choices)
        told, free = weights[: len(rows)], weights[len(rows):]
        variants = {PLAIN_READING: self._build_choice_answers(rows, told)}
        if free:
            variants[CALIBRATED_READING] = self._build_choice_answers(
                rows, [calibrate_logprobs(each, free) for each in told]
            )
        return variants

    def _build_choice_answers(self, rows: Sequence[Row], weights: ChoiceLogprobs) -> list[Answer]:
        choices = self.prompt_builder.choices
        if self.job.task.output_type == "labels":
            return [
                Answer(row.id, dict(zip(choices, exponentiate_logprobs(each), strict=True)))
                for row, each in zip(rows, weights, strict=True)
            ]
        return [Answer(row.id, self._pick_allowed_choice(row, each)) for row, each in zip(rows, weights, strict=True)]

    def _pick_allowed_choice(self, row: Row, weights: Sequence[float]) -> str:
        """The likeliest choice that the row's guide allows."""
        guide, choices = self._build_row_guide(row), self.prompt_builder.choices
        allowed = [place for place, choice in enumerate(choices) if guide is None or guide(choice, True)]
        return choices[max(allowed or range(len(choices)), key=lambda place: weights[place])]
