"""Pointwise: a causal model reads query and document, and the score is the log-odds of its answer yes.

As Nogueira et al. (2020, monoT5) and rerankers such as Qwen3-Reranker are trained.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from factory.api import (
    Answer,
    Auto,
    Finding,
    FitJob,
    Message,
    ModelJob,
    Objective,
    ReferenceAnswers,
    ReferenceJob,
    Row,
    TokenCounts,
    TrainResult,
    get_number,
)
from factory.api.artifact import count_adapted_modules
from factory.api.causal_lm.objective import TASK_TYPE
from factory.api.causal_lm.transformers_answers import (
    build_chat_turns,
    copy_generation_files,
    load_with_transformers,
    tokenize_chat,
)
from factory_rerank import listwise_targets
from factory_rerank.listwise_targets import TargetObjective
from factory_rerank.rendered_texts import render_queries, render_side_documents, replace_frozen_rows

if TYPE_CHECKING:
    from torch import Tensor, nn

INSTRUCTION = "Say whether the document is what the query asks for. Answer yes or no."
PAIR_TEMPLATE = "query: {query}\ndocument: {document}"
YES, NO = "yes", "no"
PROMPT_FILE = "pointwise.json"
"""The file of the artifact with the prompt of a pair, and the words whose odds are the score."""
UNCHOSEN_LENGTH, UNLIMITED = 512, 10**6
"""Tokens where no stage chose `max_length`, and more than any text has."""


@dataclass(frozen=True, slots=True)
class GradedPrompt:
    """The tokenised prompt of a query and a document, and how good the document is, 0 to 1."""

    prompt: list[int]
    target: float


@dataclass(frozen=True, slots=True)
class PairTokenizer:
    """Tokenises a query and a document as a chat, of at most `limit` tokens: a longer document is cut off."""

    tokenizer: Any
    instruction: str
    limit: int

    def tokenize_pair(self, query: str, document: str) -> list[int]:
        """Return the ids of the prompt."""
        ids = self._tokenize_chat(query, document)
        if len(ids) <= self.limit:
            return ids
        own = self.tokenizer(document, add_special_tokens=False)["input_ids"]
        kept = own[: max(0, len(own) - (len(ids) - self.limit))]
        return self._tokenize_chat(query, str(self.tokenizer.decode(kept)))

    def find_answer_tokens(self) -> list[list[int]]:
        """Return the first token of each answer, yes before no. Raises ValueError where they begin alike."""
        firsts = [self.tokenizer(word, add_special_tokens=False)["input_ids"][:1] for word in (YES, NO)]
        if firsts[0] == firsts[1]:
            raise ValueError(f"the base's tokenizer begins {YES!r} and {NO!r} with the same token")
        return firsts

    def _tokenize_chat(self, query: str, document: str) -> list[int]:
        return tokenize_chat(self.tokenizer, build_pair_messages(self.instruction, query, document))


class PointwiseObjective(Objective):
    """Scores a query and a document by the log-odds of the first token of yes against no."""

    output_type = "ranking"
    loader_class = "peft:AutoPeftModelForCausalLM"
    length_fields = ("max_length",)

    instruction: str = Field(INSTRUCTION, description="system message: what makes a document right")
    max_length: Annotated[int, Field(ge=32, le=131072)] | Auto = Field(
        "auto", description="maximum tokens of instruction, query and document together; auto for all of them, as far "
        "as base and memory allow"
    )

    def list_training_documents(self, row: Row) -> list[str]:
        """Return the documents of a training row that should not be truncated."""
        raise NotImplementedError

    def list_graded_documents(self, row: Row, documents: Collection[str]) -> list[list[tuple[str, float]]]:
        """Return the documents of each example of a row, with how good they are, 0 to 1."""
        raise NotImplementedError

    def get_max_length(self) -> int:
        """Return the maximum tokens of instruction, query and document together."""
        return get_number(self.max_length, UNCHOSEN_LENGTH)

    def count_tokens(self, job: ModelJob) -> TokenCounts:
        """Count each query with the documents that it is trained with."""
        pairs, documents = self._build_tokenizer(job, UNLIMITED), render_side_documents(job)
        counts, widest = list[int](), 1
        for row, query in zip(job.rows, render_queries(job), strict=True):
            names = [name for name in self.list_training_documents(row) if name in documents]
            counts += [len(pairs.tokenize_pair(query, documents[name])) for name in names]
            widest = max(widest, len(names))
        return TokenCounts({"max_length": counts}, texts_per_example=widest)

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        pairs, documents = self._build_tokenizer(job, UNLIMITED), render_side_documents(job)
        for row, query in zip(job.rows, render_queries(job), strict=True):
            for name in self.list_training_documents(row):
                tokens = len(pairs.tokenize_pair(query, documents.get(name, "")))
                if tokens > self.get_max_length():
                    text = f"with document {name!r}: {tokens} tokens exceed max_length ({self.get_max_length()})"
                    yield Finding("truncated", row.id, text)

    def audit_frozen(self, job: ModelJob) -> Iterator[Finding]:
        # Not `self.audit`: that of a mixin looks for targets, which only training rows have.
        yield from PointwiseObjective.audit(self, replace_frozen_rows(job))

    def fit(self, job: FitJob) -> TrainResult:
        learner, pairs = job.kit.create_learner(job, causal=True), self._build_tokenizer(job, self.get_max_length())
        documents, words = render_side_documents(job), pairs.find_answer_tokens()
        examples = [
            [GradedPrompt(pairs.tokenize_pair(query, documents[name]), target) for name, target in graded]
            for row, query in zip(job.rows, render_queries(job), strict=True)
            for graded in self.list_graded_documents(row, documents)
        ]

        def collate(rows: list[list[GradedPrompt]]) -> tuple[Any, list[float]]:
            prompts = [prompt for row in rows for prompt in row]
            batch = job.kit.build_answer_batch([prompt.prompt for prompt in prompts], [words] * len(prompts))
            return batch, [prompt.target for prompt in prompts]

        def compute_batch_loss(model: nn.Module, batch: tuple[Any, list[float]]) -> Tensor:
            return compute_pointwise_loss(job.kit.compute_sequence_logprobs(model, batch[0]), batch[1])

        turns = build_chat_turns(build_pair_messages(self.instruction, "{query}", "{document}"))
        described = {"messages": turns, "yes": YES, "no": NO}
        (job.out / PROMPT_FILE).write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n")
        return job.kit.fit(learner, examples, collate, compute_batch_loss, job, task_type=TASK_TYPE)

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        # In fp32: the logits of bf16 are so coarse that many documents would have one score.
        decoder = job.kit.load_decoder(job.base, job.artifact, exact=True)
        pairs = PairTokenizer(decoder.tokenizer, self.instruction, self.get_max_length())
        prompts = [*self._iterate_prompts(job, pairs)]
        logprobs = decoder.compute_choice_logprobs(prompts, [pairs.find_answer_tokens()] * len(prompts), job.report)
        scores = iter([yes - no for yes, no in logprobs])
        for row in job.rows:
            yield Answer(row.id, list(islice(scores, len(row["candidates"]))))

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        copy_generation_files(job.base.folder, bundle)

    def generate_reference_answers(self, job: ReferenceJob) -> ReferenceAnswers:
        import torch

        model, tokenizer = load_with_transformers(job)
        pairs = PairTokenizer(tokenizer, self.instruction, self.get_max_length())
        (yes,), (no,) = pairs.find_answer_tokens()
        scores = []
        for prompt in self._iterate_prompts(job, pairs):
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([prompt]), use_cache=False, logits_to_keep=1).logits[0, -1]
            scores.append(float(logits[yes] - logits[no]))
        rest = iter(scores)
        answers = [Answer(row.id, list(islice(rest, len(row["candidates"])))) for row in job.rows]
        return ReferenceAnswers(tuple(answers), count_adapted_modules(model), self.loader_class)

    def _build_tokenizer(self, job: ModelJob | FitJob, limit: int) -> PairTokenizer:
        return PairTokenizer(job.kit.load_decoder(job.base).tokenizer, self.instruction, limit)

    def _iterate_prompts(self, job: ModelJob, pairs: PairTokenizer) -> Iterator[list[int]]:
        documents = render_side_documents(job)
        for row, query in zip(job.rows, render_queries(job), strict=True):
            yield from (pairs.tokenize_pair(query, documents[name]) for name in row["candidates"])


class Pointwise(PointwiseObjective):
    """A causal model that says yes or no to a query with a document, trained on relevant and mined documents.

    The score is the log-odds of yes, trained by binary cross-entropy (Nogueira et al. 2020). The untuned base answers
    in the same way. Loads as a PEFT adapter over a causal base.
    """

    kind = "pointwise"
    columns = ("query", "relevant", "candidates", "negatives")

    negatives: int = Field(3, ge=1, description="maximum number of mined negatives per row")

    def list_training_documents(self, row: Row) -> list[str]:
        return [*row["relevant"], *row.columns.get("negatives", ())[: self.negatives]]

    def list_graded_documents(self, row: Row, documents: Collection[str]) -> list[list[tuple[str, float]]]:
        wrong = [name for name in row["negatives"] if name in documents][: self.negatives]
        right = [name for name in row["relevant"] if name in documents]
        graded = [*((name, 1.0) for name in right), *((name, 0.0) for name in wrong)]
        return [graded] if graded else []


class PointwiseTargets(TargetObjective, PointwiseObjective):
    """A causal model that says yes or no to a query with a document, trained on the `targets` of `zelo`.

    The probability of yes is regressed to the target by binary cross-entropy, so that scores are comparable across
    queries.
    """

    kind = "pointwise-targets"
    columns = ("query", "candidates", "targets")

    def list_graded_documents(self, row: Row, documents: Collection[str]) -> list[list[tuple[str, float]]]:
        lists = listwise_targets.split_into_lists(row, documents, self.list_size)
        return [[(name, row["targets"][name]) for name in names] for names in lists]


def build_pair_messages(instruction: str, query: str, document: str) -> list[Message]:
    """Return the chat in which a model is asked about a document."""
    user = PAIR_TEMPLATE.format(query=query, document=document)
    return [Message("system", instruction), Message("user", user)]


def compute_pointwise_loss(logprobs: Tensor, targets: Sequence[float]) -> Tensor:
    """Return the binary cross-entropy of the log-odds of yes with the targets; `logprobs` are (prompts, yes and no)."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(logprobs[:, 0] - logprobs[:, 1], logprobs.new_tensor(targets))
