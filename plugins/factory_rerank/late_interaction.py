"""Late interaction: the score is the sum over query tokens of the best cosine with a document token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from factory_rerank.dual_encoder import ContrastiveDualEncoder, DualEncoderObjective, GradedDualEncoder

if TYPE_CHECKING:
    from torch import Tensor


class MaxSim(DualEncoderObjective):
    """MaxSim over the L2-normalised token vectors of the base (ColBERT, arXiv:2004.12832), without a projection.

    Loads as sentence-transformers' MultiVectorEncoder.
    """

    loader_class = "sentence_transformers:MultiVectorEncoder"

    scale: float = Field(8.0, gt=0, description="scores (sums over query tokens) are multiplied by this in the loss")

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
        is_padding = torch.arange(padded.shape[1]) >= lengths.unsqueeze(1)
        cosines = (tokens @ padded.flatten(0, 1).T).view(len(tokens), *padded.shape[:2])
        # -2 is below any cosine, so that padding never wins.
        best = cosines.masked_fill(is_padding, -2.0).amax(-1)
        # The query of each token, so that one sum adds up all queries at once.
        owner = torch.repeat_interleave(torch.arange(len(queries)), torch.tensor([len(query) for query in queries]))
        return torch.zeros(len(queries), len(documents)).index_add(0, owner, best)


class LateInteraction(MaxSim, ContrastiveDualEncoder):
    """MaxSim over token vectors (ColBERT, arXiv:2004.12832), trained on mined and in-batch negatives."""

    kind = "late-interaction"
    version = 2


class LateInteractionTargets(MaxSim, GradedDualEncoder):
    """MaxSim over token vectors (ColBERT, arXiv:2004.12832), trained on the `targets` of `zelo`."""

    kind = "late-interaction-targets"
