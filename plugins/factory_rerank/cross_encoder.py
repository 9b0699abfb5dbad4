"""Cross-encoder: query and document are encoded together, and a head scores them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from factory.api import (
    Answer,
    Auto,
    Finding,
    FitJob,
    Fraction,
    Kit,
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
from factory_rerank import listwise_targets
from factory_rerank.listwise_targets import GradedPairsBatch, TargetRegressionObjective
from factory_rerank.rendered_texts import render_queries, render_side_documents, replace_frozen_rows

if TYPE_CHECKING:
    from torch import Tensor, nn

UNCHOSEN_LENGTH, UNLIMITED = 128, 10**6
"""Tokens where no stage chose `max_length`, and more than any text has."""
CrossEncoderLoss = Callable[["nn.Module", GradedPairsBatch], "Tensor"]


class CrossEncoderObjective(Objective):
    """Scores a query and a document in one text by a head. Loads as sentence-transformers' CrossEncoder.

    The untuned base, whose head would be random, answers by its cosine.
    """

    output_type = "ranking"
    modules_to_save = ("classifier",)
    loader_class = "sentence_transformers:CrossEncoder"
    length_fields = ("max_length",)

    max_length: Annotated[int, Field(ge=16, le=8192)] | Auto = Field(
        "auto", description="maximum tokens of query and document together; auto for all of them, as far as the base "
        "reads"
    )

    def list_training_documents(self, row: Row) -> list[str]:
        """Return the documents of a training row that should not be truncated."""
        raise NotImplementedError

    def build_lists(self, row: Row, documents: Collection[str]) -> list[tuple[list[str], list[float]]]:
        """Return the documents of each example of a row, and their targets."""
        raise NotImplementedError

    def build_loss(self, kit: Kit) -> CrossEncoderLoss:
        """Return the loss of a batch of examples."""
        raise NotImplementedError

    def get_max_length(self) -> int:
        """Return the maximum tokens of query and document together."""
        return get_number(self.max_length, UNCHOSEN_LENGTH)

    def count_tokens(self, job: ModelJob) -> TokenCounts:
        """Count each query with the documents that it is trained with; of no document, the query alone."""
        encoder, documents = job.kit.load_encoder(job.base), render_side_documents(job)
        rows = [*zip(job.rows, render_queries(job), strict=True)]
        names = [self.list_training_documents(row) for row, _ in rows]
        pairs = [(query, documents.get(name, "")) for (_, query), own in zip(rows, names, strict=True) for name in own]
        tokens = [len(ids) for ids, _ in encoder.tokenize_pairs(pairs, UNLIMITED)]
        return TokenCounts({"max_length": tokens}, texts_per_example=max(map(len, names), default=1))

    def fit(self, job: FitJob) -> TrainResult:
        kit, documents = job.kit, render_side_documents(job)
        learner = kit.create_learner(job, modules_to_save=self.modules_to_save, labels=1)
        encoder, examples = kit.load_encoder(job.base), []
        for row, query in zip(job.rows, render_queries(job), strict=True):
            for names, targets in self.build_lists(row, documents):
                pairs = encoder.tokenize_pairs([(query, documents[name]) for name in names], self.get_max_length())
                examples.append((pairs, targets))
        return kit.fit(
            learner, examples, listwise_targets.build_graded_pairs_collator(kit), self.build_loss(kit), job,
            modules_to_save=self.modules_to_save, task_type="SEQ_CLS",
        )

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        encoder, documents = job.kit.load_encoder(job.base), render_side_documents(job)
        rows = zip(job.rows, render_queries(job), strict=True)
        inputs = [(row.id, query, name) for row, query in rows for name in self.list_training_documents(row)]
        pairs = encoder.tokenize_pairs([(query, documents.get(name, "")) for _, query, name in inputs], UNLIMITED)
        for (row_id, _, name), (ids, _) in zip(inputs, pairs, strict=True):
            if len(ids) > self.get_max_length():
                text = f"with document {name!r}: {len(ids)} tokens exceed max_length ({self.get_max_length()})"
                yield Finding("truncated", row_id, text)

    def audit_frozen(self, job: ModelJob) -> Iterator[Finding]:
        # Not `self.audit`: that of a mixin looks for targets, which only training rows have.
        yield from CrossEncoderObjective.audit(self, replace_frozen_rows(job))

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        if job.artifact is None:
            yield from (Answer(row.id, list(row["signals"]["cosine"])) for row in job.rows)
            return
        encoder, documents = job.kit.load_encoder(job.base, job.artifact, labels=1), render_side_documents(job)
        queries = zip(job.rows, render_queries(job), strict=True)
        pairs = [(query, documents[name]) for row, query in queries for name in row["candidates"]]
        logits = encoder.compute_pair_logits(encoder.tokenize_pairs(pairs, self.get_max_length()), job.report)
        scores = iter(logits[:, 0].tolist())
        for row in job.rows:
            yield Answer(row.id, list(islice(scores, len(row["candidates"]))))

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        copy_sentence_transformers_files(self._load_cross_encoder(str(job.base.folder)), bundle)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        from torch.nn import Identity

        model = self._load_cross_encoder(str((job.artifact or job.base).folder))
        documents, answers = render_side_documents(job), []
        for row, query in zip(job.rows, render_queries(job), strict=True):
            pairs = [(query, documents[name]) for name in row["candidates"]]
            answers.append(Answer(row.id, model.predict(pairs, activation_fn=Identity()).tolist()))
        return ReferenceAnswers(tuple(answers), count_adapted_modules(model), self.loader_class)

    def _load_cross_encoder(self, folder: str) -> Any:
        import sentence_transformers

        return sentence_transformers.CrossEncoder(folder, num_labels=1, max_length=self.get_max_length(), device="cpu")


class CrossEncoder(CrossEncoderObjective):
    """Listwise softmax (ListNet, Cao et al. 2007) over a relevant document of a query and its mined negatives.

    The head is trained from random weights and needs many steps: small batches (8) and more negatives (`hard-negatives`
    with `count: 7, margin: 1`) work best. The untuned base, whose head would be random, answers by its cosine. Loads as
    sentence-transformers' CrossEncoder.
    """

    kind = "cross-encoder"
    columns = ("query", "relevant", "candidates", "negatives", "signals")

    negatives: int = Field(7, ge=1, description="maximum number of mined negatives per row")

    def list_training_documents(self, row: Row) -> list[str]:
        return [*row["relevant"], *row.columns.get("negatives", ())[: self.negatives]]

    def build_lists(self, row: Row, documents: Collection[str]) -> list[tuple[list[str], list[float]]]:
        negatives = [name for name in row["negatives"] if name in documents][: self.negatives]
        targets = [1.0, *(0.0 for _ in negatives)]
        return [([positive, *negatives], targets) for positive in row["relevant"] if positive in documents]

    def build_loss(self, kit: Kit) -> CrossEncoderLoss:
        """Return the cross-entropy of the first document of each example against the others."""

        def compute_loss(model: nn.Module, batch: GradedPairsBatch) -> Tensor:
            import torch

            scores = kit.compute_head_logits(model, batch.texts)[:, 0]
            examples = list(torch.split(scores, [len(targets) for targets in batch.targets]))
            rows = torch.nn.utils.rnn.pad_sequence(examples, batch_first=True, padding_value=float("-inf"))
            return torch.nn.functional.cross_entropy(rows, torch.zeros(len(rows), dtype=torch.long))

        return compute_loss


class CrossEncoderTargets(TargetRegressionObjective, CrossEncoderObjective):
    """Trains the score of query and document on the `targets` of `zelo`.

    Binary cross-entropy of each score with its target makes scores comparable across queries; a listwise softmax over
    the documents of a query trains their order.
    """

    kind = "cross-encoder-targets"
    columns = ("query", "candidates", "signals", "targets")

    pointwise_weight: Fraction = Field(0.5, description="weight of the pointwise loss against the listwise loss")

    def build_lists(self, row: Row, documents: Collection[str]) -> list[tuple[list[str], list[float]]]:
        lists = listwise_targets.split_into_lists(row, documents, self.list_size)
        return [(names, [row["targets"][name] for name in names]) for names in lists]

    def build_loss(self, kit: Kit) -> CrossEncoderLoss:
        return listwise_targets.build_mixed_loss(kit, self.inverse_temperature, self.pointwise_weight)
