"""How a judge is biased: by the place of an answer, by its length, and against what people say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from factory_evals.judged_pairs import JudgedPair, iterate_asked

LENGTH_PENALTY = 1e-3
"""Weight of the squared length coefficient: keeps it finite where length explains every decision."""


def compute_first_share(judged: Sequence[JudgedPair]) -> float | None:
    """Return how often the answer shown first is preferred: 0.5 of a judge without position bias; None if none was
    asked."""
    votes = [vote for each in judged for vote in each.valid_votes]
    return sum(votes) / len(votes) if votes else None


def compute_position_share(judged: Sequence[JudgedPair]) -> float | None:
    """Return the share of pairs that the position decides, which count as ties; None if none was asked."""
    asked = list(iterate_asked(judged))
    return sum(each.is_decided_by_position for each in asked) / len(asked) if asked else None


def compute_longer_preference(judged: Sequence[JudgedPair]) -> float | None:
    """Return how often the longer answer wins, of the decided pairs of two lengths; None without any."""
    decided = [each for each in iterate_asked(judged) if each.win != 0.5 and each.length_difference]
    return sum((each.win > 0.5) == (each.length_difference > 0) for each in decided) / len(decided) if decided else None


def compute_length_controlled_win_rate(judged: Sequence[JudgedPair]) -> float:
    """Return the share of wins that would be left if both answers were of one length (Dubois et al. 2024,
    arXiv:2404.04475).

    As there, the win is regressed on the difference of lengths, squashed by tanh in units of its standard deviation;
    the rate is the prediction at no difference. Their term for the difficulty of a request is left out: it is estimated
    of many models' answers. A tie is half a win; pairs of one text are ties of equal length.
    """
    import numpy as np

    wins = np.array([each.win for each in judged])
    lengths = np.array([each.length_difference for each in judged], dtype=np.float64)
    spread, mean = float(lengths.std()), float(wins.mean())
    if not spread or mean in (0.0, 1.0):
        return mean
    intercept, _ = fit_logistic(np.tanh(lengths / spread), wins)
    return 1 / (1 + math.exp(-intercept))


def fit_logistic(inputs: Any, shares: Any) -> tuple[float, float]:
    """Return intercept and slope of a logistic regression of shares (0 to 1) on one input, with a weak penalty on the
    slope alone."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    # A share is so much of a win, and the rest of a loss.
    design, wins = np.tile(inputs, 2)[:, None], np.repeat([1, 0], len(inputs))
    model = LogisticRegression(C=1 / LENGTH_PENALTY, solver="newton-cholesky", tol=1e-8, max_iter=1000)
    model.fit(design, wins, sample_weight=np.concatenate([shares, 1 - shares]))
    return float(model.intercept_[0]), float(model.coef_[0, 0])
