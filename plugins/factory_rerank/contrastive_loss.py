"""Contrastive loss (InfoNCE) with mined and in-batch negatives, for separate encodings of queries and documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from factory.api import Kit, Row

if TYPE_CHECKING:
    from torch import Tensor, nn

SimilarityFunction = Callable[[list["Tensor"], list["Tensor"]], "Tensor"]
"""Maps token vectors of queries and documents, one (tokens, hidden) tensor each, to scores (queries, documents)."""


@dataclass(frozen=True, slots=True)
class TextIndices:
    """A query and its documents, as indices of texts."""

    query: int
    documents: tuple[int, ...]


E = TypeVar("E", bound=TextIndices)


@dataclass(frozen=True, slots=True)
class ContrastiveExample(TextIndices):
    """A query with a positive document, then negatives; `positives` has all positives of the query."""

    positives: frozenset[int]


@dataclass(frozen=True, slots=True)
class DualEncoderBatch(Generic[E]):
    """Examples and their distinct texts; `positions` maps the index of a text to its position in the batch."""

    examples: Sequence[E]
    texts: Any
    positions: dict[int, int]


def build_contrastive_examples(
    rows: Sequence[Row], documents: Sequence[str], negatives: int, skipped: int = 0
) -> list[ContrastiveExample]:
    """Build one example per relevant document of each row. Indices: documents first, then queries by row, after those
    of `skipped` other rows. Validation rows, for which no negatives are mined, have their first wrong candidates."""
    index_by_name = {name: index for index, name in enumerate(documents)}
    examples = []
    for query, row in enumerate(rows, len(index_by_name) + skipped):
        positives = frozenset(index_by_name[name] for name in row["relevant"] if name in index_by_name)
        wrong = (name for name in row["candidates"] if name not in row["relevant"])
        mined = row.columns.get("negatives", wrong)
        mined = tuple(index_by_name[name] for name in mined if name in index_by_name)[:negatives]
        examples += [ContrastiveExample(query, (positive, *mined), positives) for positive in sorted(positives)]
    return examples


def build_dual_encoder_collator(ids: Sequence[Sequence[int]], kit: Kit) -> Callable[[list[E]], DualEncoderBatch[E]]:
    """Return a collator over tokenised texts, which encodes each text of a batch once."""

    def collate(rows: list[E]) -> DualEncoderBatch[E]:
        texts = sorted({text for row in rows for text in (row.query, *row.documents)})
        batch = kit.build_text_batch([ids[text] for text in texts])
        return DualEncoderBatch(rows, batch, {text: position for position, text in enumerate(texts)})

    return collate


def build_contrastive_loss(
    compare: SimilarityFunction, scale: float, in_batch: bool, kit: Kit
) -> Callable[[nn.Module, DualEncoderBatch[ContrastiveExample]], Tensor]:
    """Return the cross-entropy of the positive document (InfoNCE, arXiv:1807.03748) over scores × `scale`.

    All positives of a query are excluded from its negatives, including those of other rows in the batch.
    """

    def compute_loss(model: nn.Module, batch: DualEncoderBatch[ContrastiveExample]) -> Tensor:
        import torch

        vectors = kit.compute_hidden_states(model, batch.texts)
        names = sorted({text for row in batch.examples for text in row.documents})
        column = {text: index for index, text in enumerate(names)}
        queries = [vectors[batch.positions[row.query]] for row in batch.examples]
        scores = compare(queries, [vectors[batch.positions[text]] for text in names])
        excluded = torch.zeros_like(scores, dtype=torch.bool)
        for index, row in enumerate(batch.examples):
            # -inf removes a document from the softmax: others' documents, and the query's other positives.
            if not in_batch:
                excluded[index] = True
                excluded[index, [column[text] for text in row.documents]] = False
            others = [column[text] for text in row.positives if text in column and text != row.documents[0]]
            excluded[index, others] = True
        gold = torch.tensor([column[row.documents[0]] for row in batch.examples])
        return torch.nn.functional.cross_entropy((scores * scale).masked_fill(excluded, float("-inf")), gold)

    return compute_loss
