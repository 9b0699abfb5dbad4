"""An objective over rows that are prompt and answer, whole but for its loss: what any causal model can learn by.

Only the answer's tokens and its end of turn are learned, never the prompt's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.api.causal_lm import transformers_answers
from factory.api.causal_lm.audit import audit_completions
from factory.api.jobs import FitJob, ModelJob
from factory.api.kit import Decoder, Kit
from factory.api.roles import Objective, Task
from factory.api.rows import Answer, Finding, ReferenceAnswers, Row, TrainResult

if TYPE_CHECKING:
    from torch import Tensor, nn

TASK_TYPE = "CAUSAL_LM"


@dataclass(frozen=True, slots=True)
class TokenizedCompletion:
    """A prompt and its answer as token ids; the answer begins at `start`."""

    ids: list[int]
    start: int


class CausalLMObjective(Objective):
    """Fine-tuning on prompt and answer, through the base's own chat template: subclass it, and write `loss`.

    Answers are greedy, under the task's guide where it has one. Loads as a PEFT adapter over a causal base.
    """

    output_type = "text"
    loader_class = "peft:AutoPeftModelForCausalLM"

    max_length: int = Field(1024, ge=32, le=131072, description="tokens of prompt and answer together that are learned")
    max_new_tokens: int = Field(128, ge=1, le=8192, description="tokens of an answer, at most")

    def compute_loss(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """The loss of a batch, a scalar: `logits` (tokens, vocabulary) in fp32 at every place of an answer, and the
        `tokens` (tokens,) that stand there.
        """
        raise NotImplementedError

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        yield from audit_completions(job, job.kit.load_decoder(job.base), self.max_length, self.max_new_tokens)

    def fit(self, job: FitJob) -> TrainResult:
        decoder = job.kit.load_decoder(job.base)
        examples = [tokenize_example(row, job.task, decoder, self.max_length) for row in job.rows]
        learner = job.kit.create_learner(job, causal=True)
        return job.kit.fit(learner, examples, build_completion_collator(job.kit), self._build_loss_function(job.kit), job, task_type=TASK_TYPE)

    def _build_loss_function(self, kit: Kit) -> Callable[[nn.Module, Any], Tensor]:
        """The loss of a batch as the trainer wants it."""
        return lambda model, batch: self.compute_loss(*kit.compute_completion_logits(model, batch))

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        decoder = job.kit.load_decoder(job.base, job.adapter)
        prompts = [decoder.tokenize_chat(job.task.render_messages(row)) for row in job.rows]
        guides = [job.task.build_guide(row, job.tables) for row in job.rows]
        said = decoder.generate_texts(prompts, self.max_new_tokens, guides, job.report)
        yield from (Answer(row.id, text) for row, text in zip(job.rows, said, strict=True))

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        transformers_answers.copy_generation_files(job.base.folder, bundle)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        return transformers_answers.generate_with_transformers(job, self.max_new_tokens, self.loader_class)


def tokenize_example(row: Row, task: Task, decoder: Decoder, limit: int) -> TokenizedCompletion:
    """A row as token ids, its answer cut to the limit. Prompts are never cut: preflight refuses rows that lose all."""
    prompt = decoder.tokenize_chat(task.render_messages(row))
    return TokenizedCompletion([*prompt, *decoder.tokenize_answer(task.render_target(row))][: max(limit, len(prompt) + 1)], len(prompt))


def build_completion_collator(kit: Kit) -> Callable[[list[TokenizedCompletion]], Any]:
    """A collator: the examples of a batch, of which the answers are learned."""

    def batch(rows: list[TokenizedCompletion]) -> Any:
        return kit.build_completion_batch([row.ids for row in rows], [row.start for row in rows])

    return batch
