"""Listwise training on targets: graded relevance of the documents of a query, 0 to 1.

Shared by the objectives that learn from the column `targets`; they differ in how they score documents.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.api import Finding, Kit, ModelJob, Objective, Row
from factory_rerank.contrastive_loss import DualEncoderBatch, SimilarityFunction, TextIndices

if TYPE_CHECKING:
    from torch import Tensor, nn


class TargetObjective(Objective):
    """Mixin of objectives that learn from `targets`; it must come before the base class that scores documents."""

    list_size: int = Field(16, ge=2, description="maximum documents per example; a query with more has several")

    def list_training_documents(self, row: Row) -> list[str]:
        """Return the document with the highest target, which should not be truncated."""
        targets = row.columns.get("targets", {})
        return [max(sorted(targets), key=targets.__getitem__)] if targets else []

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        documents = job.tables["documents"]
        for row in job.rows:
            targets = row["targets"]
            missing = sorted(name for name in targets if name not in documents)
            invalid = sorted(name for name, value in targets.items() if not 0 <= value <= 1)
            if missing:
                yield Finding("missing", row.id, f"document {missing[0]!r} has a target, but is not in the corpus")
            if invalid:
                text = f"target {targets[invalid[0]]} of document {invalid[0]!r} is not from 0 to 1"
                yield Finding("missing", row.id, text)
            if len(targets) - len(missing) < 2:
                yield Finding("no_supervised_tokens", row.id, "fewer than two targets, so there is nothing to compare")
        yield from super().audit(job)


class TargetRegressionObjective(TargetObjective):
    """Mixin of objectives that compare the documents of a query in a softmax."""

    inverse_temperature: float = Field(8.0, gt=0, description="targets are multiplied by this in the softmax")


@dataclass(frozen=True, slots=True)
class GradedExample(TextIndices):
    """A query and some of its documents, with their targets."""

    targets: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class GradedPairsBatch:
    """Packed pairs of query and document, and the targets of each example: those of its pairs, in order."""

    texts: Any
    targets: Sequence[Sequence[float]]


def split_into_lists(row: Row, documents: Collection[str], size: int) -> list[list[str]]:
    """Split the documents with targets into lists of at most `size`, each of which spans the range of targets."""
    targets = row["targets"]
    names = sorted((name for name in targets if name in documents), key=lambda name: (-targets[name], name))
    count = -(-len(names) // size)  # rounded up
    return [names[start::count] for start in range(count) if len(names[start::count]) > 1]


def build_graded_examples(rows: Sequence[Row], documents: Sequence[str], size: int) -> list[GradedExample]:
    """Build the examples of all rows. Indices: documents first, then queries by row."""
    index_by_name, examples = {name: index for index, name in enumerate(documents)}, []
    for query, row in enumerate(rows, len(index_by_name)):
        for names in split_into_lists(row, index_by_name, size):
            targets = tuple(row["targets"][name] for name in names)
            examples.append(GradedExample(query, tuple(index_by_name[name] for name in names), targets))
    return examples


def build_graded_pairs_collator(kit: Kit) -> Callable[[list[Any]], GradedPairsBatch]:
    """Return a collator over (tokenised pairs, their targets)."""

    def collate(rows: list[Any]) -> GradedPairsBatch:
        pairs = [pair for row_pairs, _ in rows for pair in row_pairs]
        batch = kit.build_text_batch([ids for ids, _ in pairs], [segments for _, segments in pairs])
        return GradedPairsBatch(batch, [targets for _, targets in rows])

    return collate


def build_listwise_loss(
    compare: SimilarityFunction, scale: float, inverse_temperature: float, kit: Kit
) -> Callable[[nn.Module, DualEncoderBatch[GradedExample]], Tensor]:
    """Return the listwise loss over the documents of each query, with scores × `scale`."""

    def compute_loss(model: nn.Module, batch: DualEncoderBatch[GradedExample]) -> Tensor:
        vectors, scores = kit.compute_hidden_states(model, batch.texts), []
        for row in batch.examples:
            documents = [vectors[batch.positions[text]] for text in row.documents]
            scores.append(compare([vectors[batch.positions[row.query]]], documents)[0] * scale)
        return compute_listwise_loss(scores, [row.targets for row in batch.examples], inverse_temperature)

    return compute_loss


def build_mixed_loss(
    kit: Kit, inverse_temperature: float, share: float
) -> Callable[[nn.Module, GradedPairsBatch], Tensor]:
    """Return `share` × binary cross-entropy with the targets plus (1 - `share`) × listwise loss."""

    def compute_loss(model: nn.Module, batch: GradedPairsBatch) -> Tensor:
        import torch

        scores = kit.compute_head_logits(model, batch.texts)[:, 0]
        flat_targets = torch.tensor([target for targets in batch.targets for target in targets])
        pointwise = torch.nn.functional.binary_cross_entropy_with_logits(scores, flat_targets)
        score_lists = list(torch.split(scores, [len(targets) for targets in batch.targets]))
        return share * pointwise + (1 - share) * compute_listwise_loss(score_lists, batch.targets, inverse_temperature)

    return compute_loss


def compute_listwise_loss(
    scores: Sequence[Tensor], targets: Sequence[Sequence[float]], inverse_temperature: float
) -> Tensor:
    """Return the ListNet loss (Cao et al. 2007): cross-entropy of softmax(scores), softmax(targets × temperature⁻¹).

    At its minimum, score differences equal target differences × inverse_temperature: a regression with a free offset
    per query.
    """
    import torch

    losses = []
    for row_scores, row_targets in zip(scores, targets, strict=True):
        distribution = torch.softmax(torch.tensor(row_targets) * inverse_temperature, 0)
        losses.append(-(distribution * torch.log_softmax(row_scores, 0)).sum())
    return torch.stack(losses).mean()
