"""Base class of objectives that compare a model with the one it started from, on answers that people judged.

The log-probabilities of the start (the reference) are computed once, before the first step: a new adapter changes
nothing yet. Each prompt is read once for both of its answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.api import (
    Answer,
    CausalLMObjective,
    Decoder,
    Finding,
    FitJob,
    ModelJob,
    Row,
    Task,
    TokenCounts,
    TrainableModel,
    TrainResult,
)
from factory.api.causal_lm.objective import TASK_TYPE
from factory_preference.judged_answers import list_judged_answers, list_judgements
from factory_preference.preference_audit import audit_judgements

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class JudgedPrompt:
    """A prompt and two answers to it as token ids, with the reference's log-probability of each; `good` is the thumb
    for the first one."""

    prompt: list[int]
    answers: tuple[list[int], list[int]]
    good: bool = True
    reference: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class PreferenceBatch:
    """Judged prompts, and their texts as the kit reads them."""

    examples: Sequence[JudgedPrompt]
    texts: Any


class PreferenceObjective(CausalLMObjective):
    """Trains on judged answers. Subclass it, and implement `build_examples` and `compute_preference_loss`."""

    beta: float = Field(0.1, gt=0, le=10, description="how strongly the model is held to the one it started from")

    def build_examples(self, rows: Sequence[Row], task: Task, decoder: Decoder) -> list[JudgedPrompt]:
        """Tokenize rows, without the reference's log-probabilities."""
        raise NotImplementedError

    def compute_preference_loss(
        self, logprobs: Tensor, reference: Tensor, examples: Sequence[JudgedPrompt]
    ) -> Tensor:
        """Return the scalar loss from the log-probabilities of the answers by the model and by the reference, both
        (examples, 2)."""
        raise NotImplementedError

    def count_tokens(self, job: ModelJob) -> TokenCounts:
        """Count each prompt with each answer to it, and each answer."""
        decoder, both, answers = job.kit.load_decoder(job.base), list[int](), list[int]()
        for row in job.rows:
            prompt = len(decoder.tokenize_chat(job.task.render_messages(row)))
            lengths = [len(decoder.tokenize_answer(text)) for text, _ in list_judgements(row, job.task)]
            both += [prompt + length for length in lengths]
            answers += lengths
        return TokenCounts({"max_length": both, "max_new_tokens": answers}, texts_per_example=2, completions=answers)

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        # One prompt with several judged answers is no contradiction.
        wanted = [row for row in job.rows if row.columns.get("good", True)]
        found = super().audit(replace(job, rows=wanted))
        yield from (finding for finding in found if finding.check != "conflicting_answers")
        yield from audit_judgements(job)
        decoder = job.kit.load_decoder(job.base)
        for row in job.rows:
            prompt = decoder.tokenize_chat(job.task.render_messages(row))
            for text, better in list_judgements(row, job.task):
                answer = decoder.tokenize_answer(text)
                if not better and self._cut_answer(prompt, answer) != answer:
                    yield Finding("truncated", row.id, f"prompt and answer have {len(prompt) + len(answer)} tokens")

    def fit(self, job: FitJob) -> TrainResult:
        decoder = job.kit.load_decoder(job.base)
        learner = job.kit.create_learner(job, causal=True)
        # Only `keep: best` looks at validation rows.
        validation = job.validation if job.train.keep == "best" else ()
        examples, unseen = (
            self._add_reference(self.build_examples(rows, job.task, decoder), learner, job)
            for rows in (job.rows, validation)
        )

        def collate(rows: list[JudgedPrompt]) -> PreferenceBatch:
            return build_preference_batch(rows, job)

        def compute_batch_loss(model: nn.Module, batch: PreferenceBatch) -> Tensor:
            logprobs = job.kit.compute_sequence_logprobs(model, batch.texts)
            reference = logprobs.new_tensor([example.reference for example in batch.examples])
            return self.compute_preference_loss(logprobs, reference, batch.examples)

        return job.kit.fit(learner, examples, collate, compute_batch_loss, job, task_type=TASK_TYPE, validation=unseen)

    def load_answering_model(self, job: ModelJob) -> Decoder:
        """Load the model that answers, in fp32: what preferences change is small, and bf16 would round it away."""
        return job.kit.load_decoder(job.base, job.artifact, exact=True)

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        """Answer in free text; the details of an answer score the answers that its row gives."""
        details = self._score_given_answers(job)
        for answer in super().answer(job):
            yield replace(answer, details=details.get(answer.id, {}))

    def tokenize_judged(self, row: Row, task: Task, decoder: Decoder, answers: Sequence[str]) -> list[list[int]]:
        """Return the token ids of a row's prompt, and of each answer cut at the limit of prompt and answer."""
        prompt = decoder.tokenize_chat(task.render_messages(row))
        return [prompt, *(self._cut_answer(prompt, decoder.tokenize_answer(text)) for text in answers)]

    def _cut_answer(self, prompt: Sequence[int], answer: list[int]) -> list[int]:
        return answer[: max(self.get_max_length() - len(prompt), 1)]

    def _add_reference(
        self, examples: Sequence[JudgedPrompt], learner: TrainableModel, job: FitJob
    ) -> list[JudgedPrompt]:
        """Return the examples with the log-probabilities of the model that training starts from."""
        size = job.train.batch_size
        chunks = [examples[start : start + size] for start in range(0, len(examples), size)]

        def iterate_texts() -> Iterator[Any]:
            for number, chunk in enumerate(chunks):
                job.report.report_progress(number, len(chunks), "reference batches")
                yield build_preference_batch(chunk, job).texts

        tables = job.kit.compute_reference_logprobs(learner, iterate_texts())
        rows = [tuple(row) for table in tables for row in table.tolist()]
        return [replace(example, reference=row) for example, row in zip(examples, rows, strict=True)]

    def _score_given_answers(self, job: ModelJob) -> dict[str, dict[str, float]]:
        """Return row id → the score of each given answer by its name, and beside it the score per token.

        A score is the log-probability less that of the untuned base: the implicit reward of DPO (arXiv:2305.18290), but
        for beta. The untuned base has no ratio to itself: its scores are its own log-probabilities per token, since
        their sums would prefer the shorter answer.
        """
        rows = [(row, answers) for row in job.rows if (answers := list_judged_answers(row, job.task))]
        if not rows:
            return {}
        decoder = self.load_answering_model(job)
        ids = [self.tokenize_judged(row, job.task, decoder, list(answers.values())) for row, answers in rows]
        prompts, texts = [each[0] for each in ids], [each[1:] for each in ids]
        scores = decoder.compute_choice_logprobs(prompts, texts, job.report)
        if job.artifact is not None:
            untuned = self.load_answering_model(replace(job, artifact=None))
            base = untuned.compute_choice_logprobs(prompts, texts, job.report)
            scores = [
                [one - other for one, other in zip(*pair, strict=True)] for pair in zip(scores, base, strict=True)
            ]
        found: dict[str, dict[str, float]] = {}
        for (row, answers), own, tokens in zip(rows, scores, texts, strict=True):
            for name, score, text in zip(answers, own, tokens, strict=True):
                per_token = score / len(text)
                total = score if job.artifact is not None else per_token
                found.setdefault(row.id, {}).update({name: total, f"{name}_per_token": per_token})
        return found


def build_preference_batch(examples: Sequence[JudgedPrompt], job: FitJob) -> PreferenceBatch:
    """Return the examples as a batch of the job's kit."""
    prompts, answers = [each.prompt for each in examples], [each.answers for each in examples]
    return PreferenceBatch(examples, job.kit.build_answer_batch(prompts, answers))
