"""Contrastive learning of a query's document against mined negatives and the other documents of its batch.

Shared by the objectives that encode queries and documents apart: they differ in how two texts are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from factory.api import Kit, Row

if TYPE_CHECKING:
    from torch import Tensor, nn

SimilarityFunction = Callable[[list["Tensor"], list["Tensor"]], "Tensor"]
"""Token vectors of queries and of documents, one (tokens, hidden) tensor each → scores (queries, documents)."""


class TextIndices(Protocol):
    """A query and its documents, as numbers of texts."""

    @property
    def query(self) -> int: ...

    @property
    def documents(self) -> tuple[int, ...]: ...


E = TypeVar("E", bound=TextIndices)


@dataclass(frozen=True, slots=True)
class ContrastiveExample:
    """A query and its documents, as numbers of texts: a right one first, then wrong ones; `right` all right ones."""

    query: int
    documents: tuple[int, ...]
    positives: frozenset[int]


@dataclass(frozen=True, slots=True)
class DualEncoderBatch(Generic[E]):
    """Examples, and their texts once each, packed by the kit. `place` says which one a text is there."""

    examples: Sequence[E]
    packed: Any
    positions: dict[int, int]


def build_contrastive_examples(
    rows: Sequence[Row], documents: Sequence[str], negatives: int
) -> list[ContrastiveExample]:
    """One example for each right document of each row. Texts are numbered: documents first, then queries by row."""
    number = {name: index for index, name in enumerate(documents)}
    made = []
    for index, row in enumerate(rows):
        right = frozenset(number[name] for name in row["relevant"] if name in number)
        wrong = tuple(number[name] for name in row["negatives"] if name in number)[:negatives]
        made += [ContrastiveExample(len(number) + index, (one, *wrong), right) for one in sorted(right)]
    return made


def build_dual_encoder_collator(ids: Sequence[Sequence[int]], kit: Kit) -> Callable[[list[E]], DualEncoderBatch[E]]:
    """A collator over tokenised texts: each text of a batch is encoded once."""

    def batch(rows: list[E]) -> DualEncoderBatch[E]:
        texts = sorted({text for row in rows for text in (row.query, *row.documents)})
        return DualEncoderBatch(
            rows, kit.pack_batch([ids[text] for text in texts]), {text: place for place, text in enumerate(texts)}
        )

    return batch


def build_contrastive_loss(
    compare: SimilarityFunction, scale: float, in_batch: bool, kit: Kit
) -> Callable[[nn.Module, DualEncoderBatch[ContrastiveExample]], Tensor]:
    """Cross-entropy of the right document (InfoNCE, arXiv:1807.03748), its scores multiplied by `scale`.

    A document that is right for a query is never a negative of it, in whichever row of the batch it stands.
    """

    def value(model: nn.Module, batch: DualEncoderBatch[ContrastiveExample]) -> Tensor:
        import torch

        vectors = kit.compute_hidden_states(model, batch.packed)
        names = sorted({text for row in batch.examples for text in row.documents})
        column = {text: index for index, text in enumerate(names)}
        queries = [vectors[batch.positions[row.query]] for row in batch.examples]
        scores = compare(queries, [vectors[batch.positions[text]] for text in names])
        barred = torch.zeros_like(scores, dtype=torch.bool)
        for index, row in enumerate(batch.examples):
            if not in_batch:
                barred[index] = True
                barred[index, [column[text] for text in row.documents]] = False
            barred[
                index, [column[text] for text in row.positives if text in column and text != row.documents[0]]
            ] = True
        gold = torch.tensor([column[row.documents[0]] for row in batch.examples])
        return torch.nn.functional.cross_entropy((scores * scale).masked_fill(barred, float("-inf")), gold)

    return value
