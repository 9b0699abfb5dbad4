"""Bi-encoder: one vector per text, compared by cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from factory_rerank.dual_encoder import ContrastiveDualEncoder, DualEncoderObjective, GradedDualEncoder

if TYPE_CHECKING:
    from torch import Tensor


class MeanPoolingCosine(DualEncoderObjective):
    """Cosine of mean-pooled token vectors (Sentence-BERT, arXiv:1908.10084). Loads as SentenceTransformer."""

    loader_class = "sentence_transformers:SentenceTransformer"

    scale: float = Field(20.0, gt=0, description="cosines are multiplied by this in the loss (inverse temperature)")

    def build_modules(self, width: int) -> list[object]:
        from sentence_transformers.base.modules import Normalize
        from sentence_transformers.sentence_transformer.modules import Pooling

        return [Pooling(width, pooling_mode="mean"), Normalize()]

    def score_token_vectors(self, queries: list[Tensor], documents: list[Tensor]) -> Tensor:
        import torch

        means = (torch.stack([text.mean(0) for text in texts]) for texts in (queries, documents))
        query_vectors, document_vectors = (torch.nn.functional.normalize(vectors, dim=-1) for vectors in means)
        return query_vectors @ document_vectors.T


class BiEncoder(MeanPoolingCosine, ContrastiveDualEncoder):
    """Cosine of mean-pooled token vectors (arXiv:1908.10084), trained on mined and in-batch negatives."""

    kind = "bi-encoder"
    version = 2


class BiEncoderTargets(MeanPoolingCosine, GradedDualEncoder):
    """Cosine of mean-pooled token vectors (arXiv:1908.10084), trained on the `targets` of `zelo`."""

    kind = "bi-encoder-targets"
