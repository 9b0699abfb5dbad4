"""Runs an arm (number and selection of examples) on rows, and converts the replies to answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from factory.api import Answer, Grammar, Row, Tables
from factory.api.label_sets import LABEL_SETS
from factory_contenders.chat_backends import ChatBackend, ChoiceLogprobs, calibrate_logprobs, exponentiate_logprobs
from factory_contenders.few_shot import FewShotSelector, FixedExamples
from factory_contenders.label_set_prompts import build_label_set_grammar, parse_label_set
from factory_contenders.prompt_builder import PromptBuilder, RenderedPrompt, strip_code_fence

PLAIN_READING, CALIBRATED_READING = "plain", "calibrated"
ZERO_SHOT = "zero-shot"
"""The name of the arm without examples."""


@dataclass(frozen=True, slots=True)
class PromptArm:
    """A way to prompt: the number of examples (shots), and how they are selected."""

    selection: str
    shots: int

    @property
    def name(self) -> str:
        return f"{self.selection} {self.shots}" if self.shots else ZERO_SHOT

    @classmethod
    def from_name(cls, name: str) -> PromptArm:
        """Return the arm of a name, such as `nearest 4`."""
        selection, _, shots = name.partition(" ")
        return cls("fixed", 0) if name == ZERO_SHOT else cls(selection, int(shots))


@dataclass(frozen=True, slots=True)
class ArmAnswers:
    """The answers of an arm to each row, by reading (plain or calibrated), and the prompts."""

    variants: Mapping[str, Sequence[Answer]]
    prompts: Sequence[RenderedPrompt]

    def __add__(self, other: ArmAnswers) -> ArmAnswers:
        """Append the answers of the same arm to more rows."""
        variants = {name: [*answers, *other.variants[name]] for name, answers in self.variants.items()}
        return ArmAnswers(variants, [*self.prompts, *other.prompts])

    @property
    def mean_prompt_tokens(self) -> float:
        return sum(prompt.tokens for prompt in self.prompts) / max(len(self.prompts), 1)

    @property
    def examples_left_out(self) -> int:
        """Total number of examples that did not fit into the budget."""
        return sum(prompt.examples_left_out for prompt in self.prompts)


@dataclass(frozen=True, slots=True)
class PromptRunner:
    """Runs arms on a backend. `tables` are the side tables; `prompt_budget` and `max_answer_tokens` are in tokens."""

    tables: Tables
    backend: ChatBackend
    prompt_builder: PromptBuilder
    few_shot: FewShotSelector | FixedExamples | None
    prompt_budget: int
    max_answer_tokens: int

    @property
    def answers_sets(self) -> bool:
        """Whether an answer is a list of choices."""
        return self.prompt_builder.task.output_type == LABEL_SETS

    def run_arm(self, rows: Sequence[Row], arm: PromptArm) -> ArmAnswers:
        """Answer every row under an arm."""
        examples = self.select_arm_examples(rows, arm)
        prompts = [self.build_budgeted_prompt(row, shots) for row, shots in zip(rows, examples, strict=True)]
        if self.prompt_builder.choices and not self.answers_sets:
            shared = examples[0] if arm.selection != "nearest" else None
            return ArmAnswers(self._answer_by_choice(rows, prompts, shared), prompts)
        return ArmAnswers({PLAIN_READING: self._generate_text_answers(rows, prompts)}, prompts)

    def build_budgeted_prompt(self, row: Row, examples: Sequence[Row]) -> RenderedPrompt:
        """Return the prompt of a row with as many examples as fit into the budget."""
        return self.prompt_builder.fit_to_budget(self.prompt_budget, self.backend.count_chat_tokens, row, examples)

    def select_arm_examples(self, rows: Sequence[Row], arm: PromptArm) -> list[list[Row]]:
        """Return the examples that an arm shows with each row."""
        if not arm.shots or self.few_shot is None:
            return [[] for _ in rows]
        if arm.selection == "nearest":
            return self.few_shot.select_nearest(rows, arm.shots)
        label = self.prompt_builder.task.render_target if self.prompt_builder.choices else None
        return [self.few_shot.select_fixed(arm.shots, label)] * len(rows)

    def _generate_text_answers(self, rows: Sequence[Row], prompts: Sequence[RenderedPrompt]) -> list[Answer]:
        grammars = [self._build_row_grammar(row) for row in rows]
        replies = self.backend.generate_replies([prompt.chat for prompt in prompts], grammars, self.max_answer_tokens)
        texts = [reply.text if grammar else strip_code_fence(reply.text)
                 for reply, grammar in zip(replies, grammars, strict=True)]
        outputs = [parse_label_set(text, self.prompt_builder.choices) if self.answers_sets else text for text in texts]
        return [Answer(row.id, text, incomplete=not reply.finished)
                for row, text, reply in zip(rows, outputs, replies, strict=True)]

    def _build_row_grammar(self, row: Row) -> Grammar | None:
        if self.answers_sets:
            return build_label_set_grammar(tuple(self.prompt_builder.choices))
        return self.prompt_builder.task.build_grammar(row, self.tables)

    def _answer_by_choice(
        self, rows: Sequence[Row], prompts: Sequence[RenderedPrompt], shared: Sequence[Row] | None
    ) -> dict[str, list[Answer]]:
        """Answer by the log-probabilities of the choices; also calibrated, if all rows share their examples."""
        calibrates = shared is not None and self.backend.can_calibrate
        free_rows = self.prompt_builder.build_content_free_rows(rows[0]) if calibrates else []
        free_prompts = [self.build_budgeted_prompt(row, shared or ()) for row in free_rows]
        chats = [prompt.chat for prompt in (*prompts, *free_prompts)]
        logprobs = self.backend.score_choices(chats, self.prompt_builder.choices)
        scores, baseline = logprobs[: len(rows)], logprobs[len(rows):]
        variants = {PLAIN_READING: self._build_choice_answers(rows, scores)}
        if baseline:
            calibrated = [calibrate_logprobs(row_scores, baseline) for row_scores in scores]
            variants[CALIBRATED_READING] = self._build_choice_answers(rows, calibrated)
        return variants

    def _build_choice_answers(self, rows: Sequence[Row], logprobs: ChoiceLogprobs) -> list[Answer]:
        choices = self.prompt_builder.choices
        if self.prompt_builder.task.output_type != "labels":
            return [Answer(row.id, self._pick_allowed_choice(row, s)) for row, s in zip(rows, logprobs, strict=True)]
        probabilities = map(exponentiate_logprobs, logprobs)
        return [Answer(row.id, dict(zip(choices, p, strict=True))) for row, p in zip(rows, probabilities, strict=True)]

    def _pick_allowed_choice(self, row: Row, logprobs: Sequence[float]) -> str:
        """Return the most probable choice that the row's grammar accepts."""
        grammar, choices = self._build_row_grammar(row), self.prompt_builder.choices
        allowed = [index for index, choice in enumerate(choices) if grammar is None or grammar.accepts(choice)]
        # A grammar that accepts none of the choices is ignored: every answer must be one of them.
        return choices[max(allowed or range(len(choices)), key=lambda index: logprobs[index])]
