"""Sampling of the next token, which turns the choice of the greatest logit into a random one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

MIN_P, MIN_P_PENALTY = 0.05, 1e4
"""min-p: tokens below 5 % of the top probability get MIN_P_PENALTY subtracted from their logits."""


def add_gumbel_noise(logits: Tensor, generators: Sequence[torch.Generator | None], temperature: float) -> Tensor:
    """Return logits (rows, vocabulary) whose argmax is a sample of the distribution (the Gumbel-max trick).

    A grammar, which takes the greatest allowed logit, thereby samples among allowed tokens. min-p (Nguyen et al. 2024,
    arXiv:2407.01082) ranks unlikely tokens last: the long tail of a small model would make its texts incoherent.
    """
    noise = torch.stack([torch.empty(logits.shape[-1]).exponential_(generator=each).log_() for each in generators])
    scaled = logits.float() / temperature
    # Minus the logarithm of Exp(1) noise is Gumbel noise.
    rare = scaled < scaled.amax(-1, keepdim=True) + math.log(MIN_P)
    return scaled - noise.to(logits.device) - rare * MIN_P_PENALTY
