"""Sampling of the next token, which turns the choice of the greatest logit into a random one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

MIN_P, MIN_P_PENALTY = 0.05, 1e4
"""min-p: tokens below 5 % of the top probability get MIN_P_PENALTY subtracted from their logits."""


def add_gumbel_noise(logits: Tensor, draws: Sequence[tuple[int, int]], temperature: float) -> Tensor:
    """Return logits (rows, vocabulary) whose argmax is a sample of the distribution (the Gumbel-max trick).

    A draw is the seed of a row and the number of its tokens so far, so that a token which a grammar forces shifts no
    later choice. A grammar, which takes the greatest allowed logit, samples among allowed tokens. min-p (Nguyen et al.
    2024, arXiv:2407.01082) ranks unlikely tokens last: the long tail of a small model would make its texts incoherent.
    They get no noise: if the grammar allows none but them, it takes the most likely.
    """
    scaled = logits.float() / temperature
    plausible = scaled >= scaled.amax(-1, keepdim=True) + math.log(MIN_P)
    counts = plausible.sum(-1).tolist()
    noise = np.concatenate([_draw_exponential(*draw, count) for draw, count in zip(draws, counts, strict=True)])
    # Minus the logarithm of Exp(1) noise is Gumbel noise.
    scaled[plausible] -= torch.from_numpy(noise).log_().to(logits.device)
    return torch.where(plausible, scaled, scaled - MIN_P_PENALTY)


def _draw_exponential(seed: int, number: int, count: int) -> Any:
    """Draw Exp(1) noise in fp32 for a token: the seed is the key of the generator, the token's number its counter."""
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, number]))
    return generator.standard_exponential(count, dtype=np.float32)
