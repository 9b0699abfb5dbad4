"""Sentence embeddings of texts by an encoder: pooled token vectors of length 1, in training and for answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from factory.api import Finding, ModelJob
from factory_classify.lexical_baselines import render_row_texts

if TYPE_CHECKING:
    from torch import Tensor

    from factory.api import Encoder
    from factory_classify.logistic_head import Vectors

ENCODED_TEXTS = 1024
"""Texts whose token vectors are held at a time."""


def embed_tokenised_texts(
    encoder: Encoder, ids: Sequence[list[int]], pooling: str, report: Any = None
) -> Vectors:
    """Return the normalised embeddings of tokenised texts: (texts, width)."""
    import numpy as np

    blocks = []
    for first in range(0, len(ids), ENCODED_TEXTS):
        tokens = encoder.compute_token_vectors(ids[first : first + ENCODED_TEXTS])
        blocks.append(pool_tokens(tokens, pooling).numpy())
        if report is not None:
            report.report_progress(min(first + ENCODED_TEXTS, len(ids)), len(ids), "texts")
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), dtype=np.float32)


def pool_tokens(tokens: Sequence[Tensor], pooling: str) -> Tensor:
    """Return the normalised embeddings of texts, the mean or the first of their token vectors: (texts, width)."""
    import torch

    pooled = torch.stack([text.mean(0) if pooling == "mean" else text[0] for text in tokens])
    return torch.nn.functional.normalize(pooled, dim=-1)


def find_truncated_texts(job: ModelJob, limit: int) -> Iterator[Finding]:
    """Yield a finding for each training row whose text has more than `limit` tokens."""
    texts = render_row_texts(job.task, job.rows)
    for row, ids in zip(job.rows, job.kit.load_encoder(job.base).tokenize_texts(texts, 10**6), strict=True):
        if len(ids) > limit:
            yield Finding("truncated", row.id, f"{len(ids)} tokens exceed max_length ({limit})")
