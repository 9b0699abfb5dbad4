"""Base class of objectives that fine-tune a causal model on prompt and answer; a subclass adds the loss.

Only the tokens of the answer and its end of turn are supervised, never those of the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from factory.api.auto_settings import Auto, TokenCounts, get_number
from factory.api.causal_lm import transformers_answers
from factory.api.causal_lm.audit import audit_completions
from factory.api.jobs import FitJob, ModelJob, ReferenceJob
from factory.api.kit import Decoder, Kit
from factory.api.roles import Objective, Task
from factory.api.rows import Answer, Finding, ReferenceAnswers, Row, ScoredAnswer, TrainResult
from factory.api.source import Columns

if TYPE_CHECKING:
    from torch import Tensor, nn

TASK_TYPE = "CAUSAL_LM"
UNCHOSEN_LENGTH, UNCHOSEN_ANSWER = 1024, 128
"""Tokens of prompt and answer, and of the answer, where no stage chose them."""


@dataclass(frozen=True, slots=True)
class TokenizedCompletion:
    """A prompt and its answer as token ids; the answer starts at index `start`."""

    ids: list[int]
    start: int


class CausalLMObjective(Objective):
    """Fine-tunes on prompt and answer in the base's own chat template. Subclass it and implement `compute_loss`.

    Decoding is greedy, constrained by the task's grammar if it has one. The bundle loads as a PEFT adapter.
    """

    output_type = "text"
    measures_validation = True
    start_form = "causal adapter"
    length_fields: ClassVar[Columns] = ("max_length", "max_new_tokens")
    loader_class = "peft:AutoPeftModelForCausalLM"

    max_length: Annotated[int, Field(ge=32, le=131072)] | Auto = Field(
        "auto", description="maximum tokens of prompt and answer in training; auto for all of them, as far as base and "
        "memory allow"
    )
    max_new_tokens: Annotated[int, Field(ge=1, le=8192)] | Auto = Field(
        "auto", description="maximum tokens of a generated answer; auto for a quarter more than the training rows have"
    )

    def compute_loss(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the scalar loss of a batch: `logits` (tokens, vocabulary) in fp32 for every answer token, and the
        target ids `tokens` (tokens,).
        """
        raise NotImplementedError

    def get_max_length(self) -> int:
        """Return the maximum tokens of prompt and answer in training."""
        return get_number(self.max_length, UNCHOSEN_LENGTH)

    def get_max_new_tokens(self) -> int:
        """Return the maximum tokens of a generated answer."""
        return get_number(self.max_new_tokens, UNCHOSEN_ANSWER)

    def count_tokens(self, job: ModelJob) -> TokenCounts:
        """Count each prompt with its answer, and each answer."""
        decoder = job.kit.load_decoder(job.base)
        answers = [len(decoder.tokenize_answer(job.task.render_target(row))) for row in job.rows]
        prompts = [len(decoder.tokenize_chat(job.task.render_messages(row))) for row in job.rows]
        both = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
        return TokenCounts({"max_length": both, "max_new_tokens": answers})

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        decoder, length = job.kit.load_decoder(job.base), self.get_max_length()
        yield from audit_completions(job, decoder, length, self.get_max_new_tokens())

    def fit(self, job: FitJob) -> TrainResult:
        decoder = job.kit.load_decoder(job.base)
        examples, unseen = (
            [tokenize_example(row, job.task, decoder, self.get_max_length()) for row in rows]
            for rows in (job.rows, job.validation)
        )
        learner = job.kit.create_learner(job, causal=True)

        def compute_batch_loss(model: nn.Module, batch: Any) -> Tensor:
            return self.compute_loss(*job.kit.compute_completion_logits(model, batch))

        collate = build_completion_collator(job.kit)
        return job.kit.fit(
            learner, examples, collate, compute_batch_loss, job, task_type=TASK_TYPE, validation=unseen
        )

    def load_answering_model(self, job: ModelJob) -> Decoder:
        """Load the model that answers: the base with the artifact, if there is one."""
        return job.kit.load_decoder(job.base, job.artifact)

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        decoder = self.load_answering_model(job)
        prompts = [decoder.tokenize_chat(job.task.render_messages(row)) for row in job.rows]
        grammars = [job.task.build_grammar(row, job.tables) for row in job.rows]
        generations = decoder.generate_texts(prompts, self.get_max_new_tokens(), grammars, job.report)
        for row, generation in zip(job.rows, generations, strict=True):
            yield Answer(row.id, generation.text, incomplete=not generation.finished)

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        transformers_answers.copy_generation_files(job.base.folder, bundle)

    def generate_reference_answers(self, job: ReferenceJob) -> ReferenceAnswers:
        return transformers_answers.answer_with_transformers(job, self.get_max_new_tokens(), self.loader_class)

    def score_judged_answers(self, job: ReferenceJob) -> Iterator[ScoredAnswer]:
        decoder = self.load_answering_model(job)
        prompts = [decoder.tokenize_chat(job.task.render_messages(row)) for row in job.rows]
        answers = [decoder.tokenize_answer(job.judged_answers[row.id].output) for row in job.rows]
        logprobs = decoder.compute_answer_logprobs(prompts, answers)
        for row, ids, values in zip(job.rows, answers, logprobs, strict=True):
            yield transformers_answers.build_scored_answer(row.id, decoder.tokenizer, ids, values)


def tokenize_example(row: Row, task: Task, decoder: Decoder, limit: int) -> TokenizedCompletion:
    """Tokenize a row and truncate its answer to `limit` tokens in total.

    Prompts are never truncated and at least one answer token remains: preflight reports rows that lose the answer.
    """
    prompt = decoder.tokenize_chat(task.render_messages(row))
    ids = [*prompt, *decoder.tokenize_answer(task.render_target(row))]
    return TokenizedCompletion(ids[: max(limit, len(prompt) + 1)], len(prompt))


def build_completion_collator(kit: Kit) -> Callable[[list[TokenizedCompletion]], Any]:
    """Return a collator for batches whose answers are supervised."""

    def collate(rows: list[TokenizedCompletion]) -> Any:
        return kit.build_completion_batch([row.ids for row in rows], [row.start for row in rows])

    return collate
