"""Late interaction: every token of a query finds its best token of a document, and the best matches are added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from factory_rerank.dual_encoder import ContrastiveDualEncoder, DualEncoderObjective, GradedDualEncoder

if TYPE_CHECKING:
    from torch import Tensor


class MaxSim(DualEncoderObjective):
    """MaxSim over the base's own token vectors, L2-normalised (ColBERT, arXiv:2004.12832), with no projection.

    Loads as sentence-transformers' MultiVectorEncoder.
    """

    loader_class = "sentence_transformers:MultiVectorEncoder"

    scale: float = Field(8.0, gt=0, description="what a score, a sum over query tokens, is multiplied by in the loss")

    def build_modules(self, width: int) -> list[object]:
        from sentence_transformers.base.modules import Normalize
        from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

        return [MultiVectorMask(), Normalize("token_embeddings")]

    def score_token_vectors(self, queries: list[Tensor], documents: list[Tensor]) -> Tensor:
        import torch
        from torch.nn.utils.rnn import pad_sequence

        normalize = torch.nn.functional.normalize
        tokens = normalize(torch.cat(queries), dim=-1)
        padded = normalize(pad_sequence(documents, batch_first=True), dim=-1)
        lengths = torch.tensor([len(document) for document in documents])
        filler = torch.arange(padded.shape[1]) >= lengths.unsqueeze(1)
        alike = (tokens @ padded.flatten(0, 1).T).view(len(tokens), *padded.shape[:2])
        best = alike.masked_fill(filler, -2.0).amax(-1)
        owner = torch.repeat_interleave(torch.arange(len(queries)), torch.tensor([len(query) for query in queries]))
        return torch.zeros(len(queries), len(documents)).index_add(0, owner, best)


class LateInteraction(MaxSim, ContrastiveDualEncoder):
    """MaxSim over token vectors (ColBERT, arXiv:2004.12832), against mined negatives and the rest of a batch."""

    kind = "late-interaction"
    version = 2


class LateInteractionTargets(MaxSim, GradedDualEncoder):
    """MaxSim over token vectors (ColBERT, arXiv:2004.12832), regressed on `targets`, as `zelo` gives them."""

    kind = "late-interaction-targets"
