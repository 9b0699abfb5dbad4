"""Base classes of objectives that encode queries and documents separately; subclasses compare the vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from factory.api import (
    Answer,
    Auto,
    Finding,
    FitJob,
    ModelJob,
    Objective,
    ReferenceAnswers,
    Row,
    TokenCounts,
    TrainResult,
    get_number,
)
from factory.api.artifact import count_adapted_modules
from factory.api.sentence_transformers_files import copy_sentence_transformers_files
from factory_rerank import contrastive_loss, listwise_targets
from factory_rerank.listwise_targets import TargetRegressionObjective
from factory_rerank.rendered_texts import render_queries, render_side_documents, replace_frozen_rows

if TYPE_CHECKING:
    from torch import Tensor, nn

UNCHOSEN_LENGTH, UNLIMITED = 64, 10**6
"""Tokens where no stage chose `max_length`, and more than any text has."""
DualEncoderLoss = Callable[["nn.Module", Any], "Tensor"]


class DualEncoderObjective(Objective):
    """An objective that encodes queries and documents separately, and compares their vectors."""

    output_type = "ranking"
    start_form = "encoder adapter"
    length_fields = ("max_length",)

    max_length: Annotated[int, Field(ge=8, le=8192)] | Auto = Field(
        "auto", description="maximum tokens of a query or document, the rest is cut off; auto for all of them, as far "
        "as the base reads"
    )
    scale: float = Field(1.0, gt=0, description="scores are multiplied by this in the loss (inverse temperature)")

    def build_modules(self, width: int) -> list[object]:
        """Return the sentence-transformers modules after the transformer; `width` is the size of a token vector."""
        raise NotImplementedError

    def score_token_vectors(self, queries: list[Tensor], documents: list[Tensor]) -> Tensor:
        """Return scores (queries, documents) from token vectors, one (tokens, hidden) tensor per text."""
        raise NotImplementedError

    def list_training_documents(self, row: Row) -> list[str]:
        """Return the documents of a training row that should not be truncated."""
        raise NotImplementedError

    def count_example_documents(self) -> int:
        """Return the most documents that a training example has."""
        raise NotImplementedError

    def build_examples_and_loss(self, job: FitJob, documents: list[str]) -> tuple[list[Any], DualEncoderLoss]:
        """Return the training examples, with indices of texts (documents first, then queries), and the loss."""
        raise NotImplementedError

    def build_validation_examples(self, job: FitJob, documents: list[str]) -> list[Any]:
        """Return the examples of the validation rows, whose queries come after those of the training rows."""
        return []

    def get_max_length(self) -> int:
        """Return the maximum tokens of a query or document."""
        return get_number(self.max_length, UNCHOSEN_LENGTH)

    def count_tokens(self, job: ModelJob) -> TokenCounts:
        texts = [*render_side_documents(job).values(), *render_queries(job)]
        ids = job.kit.load_encoder(job.base).tokenize_texts(texts, UNLIMITED)
        documents = sum(len(self.list_training_documents(row)) for row in job.rows)
        return TokenCounts(
            {"max_length": [len(tokens) for tokens in ids]}, examples_per_row=documents / max(1, len(job.rows)),
            texts_per_example=1 + self.count_example_documents(),
        )

    def fit(self, job: FitJob) -> TrainResult:
        kit, documents = job.kit, render_side_documents(job)
        learner = kit.create_learner(job)
        texts = [*documents.values(), *render_queries(job), *render_queries(replace(job, rows=job.validation))]
        ids = kit.load_encoder(job.base).tokenize_texts(texts, self.get_max_length())
        examples, loss = self.build_examples_and_loss(job, [*documents])
        return kit.fit(
            learner, examples, contrastive_loss.build_dual_encoder_collator(ids, kit), loss, job,
            task_type="FEATURE_EXTRACTION", validation=self.build_validation_examples(job, [*documents]),
        )

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        encoder, documents, limit = job.kit.load_encoder(job.base), render_side_documents(job), self.get_max_length()
        tokenised = zip(documents, encoder.tokenize_texts([*documents.values()], UNLIMITED), strict=True)
        too_long = {name for name, ids in tokenised if len(ids) > limit}
        for row, ids in zip(job.rows, encoder.tokenize_texts(render_queries(job), UNLIMITED), strict=True):
            truncated = sorted(too_long & {*self.list_training_documents(row)})
            if len(ids) > limit:
                yield Finding("truncated", row.id, f"query: {len(ids)} tokens exceed max_length ({limit})")
            elif truncated:
                yield Finding("truncated", row.id, f"document {truncated[0]!r} exceeds max_length ({limit})")

    def audit_frozen(self, job: ModelJob) -> Iterator[Finding]:
        # Not `self.audit`: that of a mixin looks for targets, which only training rows have.
        yield from DualEncoderObjective.audit(self, replace_frozen_rows(job))

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        encoder, documents = job.kit.load_encoder(job.base, job.artifact), render_side_documents(job)
        names = dict.fromkeys(name for row in job.rows for name in row["candidates"])
        texts = [documents[name] for name in names]
        ids = encoder.tokenize_texts([*texts, *render_queries(job)], self.get_max_length())
        vectors = encoder.compute_token_vectors(ids, job.report)
        position = {name: index for index, name in enumerate(names)}
        for index, row in enumerate(job.rows):
            candidates = [vectors[position[name]] for name in row["candidates"]]
            yield Answer(row.id, self.score_token_vectors([vectors[len(texts) + index]], candidates)[0].tolist())

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        copy_sentence_transformers_files(self._build_untrained_model(job), bundle)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        if job.artifact is not None:
            model = self._import_loader_class()(str(job.artifact.folder), device="cpu")
        else:
            model = self._build_untrained_model(job)
        documents, answers = render_side_documents(job), []
        for row, query in zip(job.rows, render_queries(job), strict=True):
            texts = [documents[name] for name in row["candidates"]]
            scores = model.similarity(model.encode_query([query]), model.encode_document(texts))
            answers.append(Answer(row.id, scores[0].tolist()))
        return ReferenceAnswers(tuple(answers), count_adapted_modules(model), self.loader_class)

    def _import_loader_class(self) -> Any:
        module, _, name = self.loader_class.partition(":")
        return getattr(import_module(module), name)

    def _build_untrained_model(self, job: ModelJob) -> Any:
        from sentence_transformers.base.modules import Transformer

        transformer = Transformer(str(job.base.folder), max_seq_length=self.get_max_length())
        tail = self.build_modules(transformer.get_embedding_dimension())
        return self._import_loader_class()(modules=[transformer, *tail], device="cpu")


class ContrastiveDualEncoder(DualEncoderObjective):
    """Trains relevant documents against mined negatives and the other documents of a batch."""

    columns = ("query", "relevant", "candidates", "negatives")
    measures_validation = True

    negatives: int = Field(3, ge=0, description="maximum number of mined negatives per row, from the first on")
    in_batch_negatives: bool = Field(True, description="use the other documents of a batch as negatives too")

    def list_training_documents(self, row: Row) -> list[str]:
        return [*row["relevant"]]

    def count_example_documents(self) -> int:
        return 1 + self.negatives

    def build_examples_and_loss(self, job: FitJob, documents: list[str]) -> tuple[list[Any], DualEncoderLoss]:
        compare = self.score_token_vectors
        loss = contrastive_loss.build_contrastive_loss(compare, self.scale, self.in_batch_negatives, job.kit)
        return contrastive_loss.build_contrastive_examples(job.rows, documents, self.negatives), loss

    def build_validation_examples(self, job: FitJob, documents: list[str]) -> list[Any]:
        rows, skipped = job.validation, len(job.rows)
        return contrastive_loss.build_contrastive_examples(rows, documents, self.negatives, skipped)


class GradedDualEncoder(TargetRegressionObjective, DualEncoderObjective):
    """Trains the order and distances of the documents of a query on their targets, 0 to 1."""

    columns = ("query", "candidates", "targets")

    def count_example_documents(self) -> int:
        return self.list_size

    def build_examples_and_loss(self, job: FitJob, documents: list[str]) -> tuple[list[Any], DualEncoderLoss]:
        compare = self.score_token_vectors
        loss = listwise_targets.build_listwise_loss(compare, self.scale, self.inverse_temperature, job.kit)
        return listwise_targets.build_graded_examples(job.rows, documents, self.list_size), loss
