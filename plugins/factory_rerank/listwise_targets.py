"""Learning from targets: how good each document of a query is, 0 to 1, and not only which one is right.

Shared by the objectives that regress on the column `targets`: they differ in how a query and a document are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.api import Finding, Kit, ModelJob, Objective, Row
from factory_rerank.contrastive_loss import DualEncoderBatch, SimilarityFunction

if TYPE_CHECKING:
    from torch import Tensor, nn


class TargetRegressionObjective(Objective):
    """An objective that learns from `targets`; stands before the class that says how a document is scored."""

    documents: int = Field(
        16, ge=2, description="documents of a query in one example, best to worst; a query with more makes several "
        "examples"
    )
    sharpness: float = Field(
        8.0, gt=0, description="by how much the best target outweighs the worst in the softmax, as a difference of "
        "logits"
    )

    def list_training_documents(self, row: Row) -> list[str]:
        """The document with the highest target: the one that must be read whole."""
        targets = row["targets"]
        return [max(sorted(targets), key=targets.__getitem__)] if targets else []

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        documents = job.tables["documents"]
        for row in job.rows:
            targets = row["targets"]
            missing = sorted(name for name in targets if name not in documents)
            beyond = sorted(name for name, value in targets.items() if not 0 <= value <= 1)
            if missing:
                yield Finding("missing", row.id, f"{missing[0]!r} has a target and is not in the documents")
            if beyond:
                yield Finding("missing", row.id, f"the target of {beyond[0]!r} is {targets[beyond[0]]}, beyond 0 to 1")
            if len(targets) - len(missing) < 2:
                yield Finding(
                    "no_supervised_tokens", row.id, "it has fewer than two targets, so there is nothing to compare"
                )
        yield from super().audit(job)


@dataclass(frozen=True, slots=True)
class GradedExample:
    """A query and some of its documents, as numbers of texts, with the target of each."""

    query: int
    documents: tuple[int, ...]
    targets: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class GradedPairsBatch:
    """Query and document together: the pairs of a batch, packed by the kit, and the targets of each example."""

    packed: Any
    targets: Sequence[Sequence[float]]


def split_into_lists(row: Row, documents: Collection[str], size: int) -> list[list[str]]:
    """A row's documents with targets, dealt out into lists of at most `size`, so that each reaches from good to bad."""
    targets = row["targets"]
    names = sorted((name for name in targets if name in documents), key=lambda name: (-targets[name], name))
    count = -(-len(names) // size)
    return [names[start::count] for start in range(count) if len(names[start::count]) > 1]


def build_graded_examples(rows: Sequence[Row], documents: Sequence[str], size: int) -> list[GradedExample]:
    """Examples of all rows. Texts are numbered: documents first, then queries by row."""
    number, found = {name: index for index, name in enumerate(documents)}, []
    for index, row in enumerate(rows):
        for names in split_into_lists(row, number, size):
            aims = tuple(row["targets"][name] for name in names)
            found.append(GradedExample(len(number) + index, tuple(number[name] for name in names), aims))
    return found


def build_graded_pairs_collator(kit: Kit) -> Callable[[list[Any]], GradedPairsBatch]:
    """A collator over (tokenised pairs, their targets)."""

    def batch(rows: list[Any]) -> GradedPairsBatch:
        pairs = [pair for some, _ in rows for pair in some]
        return GradedPairsBatch(
            kit.pack_batch([ids for ids, _ in pairs], [kinds for _, kinds in pairs]), [one for _, one in rows]
        )

    return batch


def build_listwise_loss(
    compare: SimilarityFunction, scale: float, sharpness: float, kit: Kit
) -> Callable[[nn.Module, DualEncoderBatch[GradedExample]], Tensor]:
    """The listwise loss of each query's own documents, their scores multiplied by `scale`."""

    def value(model: nn.Module, batch: DualEncoderBatch[GradedExample]) -> Tensor:
        vectors, own = kit.compute_hidden_states(model, batch.packed), []
        for row in batch.examples:
            documents = [vectors[batch.positions[text]] for text in row.documents]
            own.append(compare([vectors[batch.positions[row.query]]], documents)[0] * scale)
        return compute_listwise_loss(own, [row.targets for row in batch.examples], sharpness)

    return value


def build_mixed_loss(kit: Kit, sharpness: float, share: float) -> Callable[[nn.Module, GradedPairsBatch], Tensor]:
    """The listwise loss of a head's scores, and a `share` of cross-entropy of their sigmoids with the targets."""

    def value(model: nn.Module, batch: GradedPairsBatch) -> Tensor:
        import torch

        scores = kit.compute_head_logits(model, batch.packed)[:, 0]
        wanted = torch.tensor([target for one in batch.targets for target in one])
        apart = torch.nn.functional.binary_cross_entropy_with_logits(scores, wanted)
        own = list(torch.split(scores, [len(one) for one in batch.targets]))
        return share * apart + (1 - share) * compute_listwise_loss(own, batch.targets, sharpness)

    return value


def compute_listwise_loss(scores: Sequence[Tensor], targets: Sequence[Sequence[float]], sharpness: float) -> Tensor:
    """Cross-entropy (ListNet, Cao et al. 2007) of the softmax of scores with that of targets times `sharpness`.

    Its minimum is scores that differ as the targets times `sharpness` do: a regression that leaves each query's own
    level open.
    """
    import torch

    losses = []
    for mine, wanted in zip(scores, targets, strict=True):
        aim = torch.softmax(torch.tensor(wanted) * sharpness, 0)
        losses.append(-(aim * torch.log_softmax(mine, 0)).sum())
    return torch.stack(losses).mean()
