"""What the objectives share that encode queries and documents apart: they differ in how vectors are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.api import Answer, Finding, FitJob, ModelJob, Objective, ReferenceAnswers, Row, TrainResult
from factory_rerank import contrast, graded
from factory_rerank.graded import Targeted
from factory_rerank.layout import copy_layout
from factory_rerank.texts import documents_of, queries_of

if TYPE_CHECKING:
    from torch import Tensor, nn

Loss = Callable[["nn.Module", Any], "Tensor"]

TASK_TYPE = "FEATURE_EXTRACTION"


class Apart(Objective):
    """An objective over vectors of queries and vectors of documents."""

    output_type = "ranking"

    max_length: int = Field(64, ge=8, le=8192, description="tokens of a query or a document that are read")
    scale: float = Field(1.0, gt=0, description="what a score is multiplied by in the loss")

    def modules(self, width: int) -> list[object]:
        """The sentence-transformers modules that follow the transformer; `width` is that of a token vector."""
        raise NotImplementedError

    def compare(self, queries: list[Tensor], documents: list[Tensor]) -> Tensor:
        """Scores (queries, documents) from token vectors, one (tokens, hidden) tensor a text."""
        raise NotImplementedError

    def taught(self, row: Row) -> list[str]:
        """The documents of a training row that must be read whole."""
        raise NotImplementedError

    def lessons(self, job: FitJob, documents: list[str]) -> tuple[list[Any], Loss]:
        """What is learned from, examples whose texts are numbers (documents first, then queries), and the loss."""
        raise NotImplementedError

    def fit(self, job: FitJob) -> TrainResult:
        kit, documents = job.kit, documents_of(job)
        learner = kit.create_learner(job)
        ids = kit.load_encoder(job.base).tokenize_texts([*documents.values(), *queries_of(job)], self.max_length)
        examples, loss = self.lessons(job, [*documents])
        return kit.fit(learner, examples, contrast.collate(ids, kit), loss, job, task_type=TASK_TYPE)

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        encoder, documents = job.kit.load_encoder(job.base), documents_of(job)
        long = {
            name for (name, _), ids in zip(documents.items(), encoder.tokenize_texts([*documents.values()], 10**6), strict=True)
            if len(ids) > self.max_length
        }
        for row, ids in zip(job.rows, encoder.tokenize_texts(queries_of(job), 10**6), strict=True):
            cut = sorted(long & {*self.taught(row)})
            if len(ids) > self.max_length:
                yield Finding("truncated", row.id, f"its query has {len(ids)} tokens, {self.max_length} are read")
            elif cut:
                yield Finding("truncated", row.id, f"its document {cut[0]!r} has more than {self.max_length} tokens")

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        encoder, documents = job.kit.load_encoder(job.base, job.adapter), documents_of(job)
        wanted = dict.fromkeys(name for row in job.rows for name in row["candidates"])
        texts = [documents[name] for name in wanted]
        vectors = encoder.compute_token_vectors(encoder.tokenize_texts([*texts, *queries_of(job)], self.max_length), job.report)
        place = {name: index for index, name in enumerate(wanted)}
        for index, row in enumerate(job.rows):
            chosen = [vectors[place[name]] for name in row["candidates"]]
            yield Answer(row.id, self.compare([vectors[len(texts) + index]], chosen)[0].tolist())

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        copy_layout(self._plain_base(job), bundle)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        model = self._plain_class()(str(job.adapter), device="cpu") if job.adapter else self._plain_base(job)
        documents, answers = documents_of(job), []
        for row, query in zip(job.rows, queries_of(job), strict=True):
            texts = [documents[name] for name in row["candidates"]]
            scores = model.similarity(model.encode_query([query]), model.encode_document(texts))
            answers.append(Answer(row.id, scores[0].tolist()))
        adapted = sum(1 for module in model.modules() if hasattr(module, "lora_A"))
        return ReferenceAnswers(tuple(answers), adapted, self.loader_class)

    def _plain_class(self) -> Any:
        module, _, name = self.loader_class.partition(":")
        return getattr(import_module(module), name)

    def _plain_base(self, job: ModelJob) -> Any:
        from sentence_transformers.base.modules import Transformer

        transformer = Transformer(str(job.base.folder), max_seq_length=self.max_length)
        tail = self.modules(transformer.get_embedding_dimension())
        return self._plain_class()(modules=[transformer, *tail], device="cpu")


class Contrastive(Apart):
    """Learns from right documents against mined negatives and the other documents of a batch."""

    columns = ("query", "relevant", "candidates", "negatives")

    negatives: int = Field(3, ge=0, description="mined negatives a row, at most; their order decides which")
    in_batch: bool = Field(True, description="whether the other documents of a batch are negatives too")

    def taught(self, row: Row) -> list[str]:
        return [*row["relevant"]]

    def lessons(self, job: FitJob, documents: list[str]) -> tuple[list[Any], Loss]:
        loss = contrast.loss(self.compare, self.scale, self.in_batch, job.kit)
        return contrast.examples(job.rows, documents, self.negatives), loss


class Graded(Targeted, Apart):
    """Learns the order and the distances of a query's documents from their targets, 0 to 1."""

    columns = ("query", "candidates", "targets")

    def lessons(self, job: FitJob, documents: list[str]) -> tuple[list[Any], Loss]:
        loss = graded.loss(self.compare, self.scale, self.sharpness, job.kit)
        return graded.examples(job.rows, documents, self.documents), loss
