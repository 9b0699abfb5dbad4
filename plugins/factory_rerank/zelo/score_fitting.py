"""Scores from comparisons: Thurstone or Bradley-Terry by penalised maximum likelihood, with standard errors.

Item a has a latent score s_a; a beats b with probability F(s_a - s_b + offset), where F is the normal (Thurstone 1927,
case V) or the logistic (Bradley and Terry 1952) distribution function. A judgement is a share: 1 if a won, 0 if b won,
0.5 for a tie, or the probability that a judge gives; its loss is the cross-entropy with F, which is convex for both
links. Scores have the prior N(0, spread²), which keeps the score of an item that won every comparison finite, and fixes
the origin, which differences leave open. The spread is given, not estimated: with four comparisons per item, estimates
(EM, or the Laplace marginal likelihood) are far too small, and the order hardly depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IndexArray = NDArray[np.int64]

LinkFunction = Literal["thurstone", "bradley-terry"]
LOGIT_PER_PROBIT = 1.702
"""Approximate ratio of a logit scale to a probit scale."""
PRIOR_SPREAD = 2.0
"""Prior standard deviation in units of a judge's noise; of 1 to 3, the one with correct errors in simulations."""
MAX_DENSE_ITEMS = 1500
"""Maximum number of items for which the Hessian is dense and its inverse is computed in full."""


@dataclass(frozen=True, slots=True)
class ScoreFit:
    """Scores of items in units of a judge's noise, with their standard errors."""

    scores: FloatArray
    standard_errors: FloatArray


def fit_pairwise_scores(
    size: int, pairs: Sequence[tuple[int, int]], shares: Sequence[float], link: LinkFunction = "thurstone", *,
    offsets: Sequence[float] | None = None, spread: float = PRIOR_SPREAD,
) -> ScoreFit:
    """Fit `size` scores to pairs (a, b) and the share of a in each; `offsets` are known differences beside s_a - s_b.

    The scores of connected items have mean 0. An item in no pair gets score 0 and the standard error of the prior.
    Bradley-Terry scores are divided by 1.702, so that both links have one scale. Raises ValueError for shares outside
    0 to 1 and for items beyond `size`.
    """
    import numpy as np

    unit = LOGIT_PER_PROBIT if link == "bradley-terry" else 1.0
    ends = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    share, known = np.asarray(shares, dtype=np.float64), np.zeros(len(ends))
    if offsets is not None:
        known = np.asarray(offsets, dtype=np.float64) * unit
    if not len(ends) == len(share) == len(known):
        raise ValueError(f"the numbers of pairs, shares and offsets differ: {len(ends)}, {len(share)} and {len(known)}")
    if len(share) and not (share.min() >= 0 and share.max() <= 1):
        raise ValueError("shares must be from 0 to 1")
    if len(ends) and not (ends.min() >= 0 and ends.max() < size):
        raise ValueError(f"items of pairs must be from 0 to {size - 1}")
    scores, information = _maximise_likelihood(np.zeros(size), ends, share, known, link, spread * unit)
    # Standard errors by the inverse Hessian; for many items by its diagonal alone, which underestimates them a little.
    hessian = _build_hessian(size, ends, information, spread * unit)
    variances = np.diag(np.linalg.inv(hessian)) if size <= MAX_DENSE_ITEMS else 1 / hessian.diagonal()
    return ScoreFit(scores / unit, np.sqrt(variances) / unit)


def _maximise_likelihood(
    scores: FloatArray, ends: IndexArray, share: FloatArray, known: FloatArray, link: LinkFunction, spread: float
) -> tuple[FloatArray, FloatArray]:
    """Return the scores at the maximum, and the Fisher information of each judgement there."""
    import numpy as np
    from scipy import linalg
    from scipy.sparse.linalg import cg

    first, second = ends[:, 0], ends[:, 1]
    for _ in range(50):
        slope, information = _compute_derivatives(scores[first] - scores[second] + known, share, link)
        gradient = np.bincount(first, slope, len(scores)) - np.bincount(second, slope, len(scores)) - scores / spread**2
        hessian = _build_hessian(len(scores), ends, information, spread)
        if len(scores) <= MAX_DENSE_ITEMS:
            step = linalg.solve(hessian, gradient, assume_a="pos")
        else:
            step = cg(hessian, gradient, rtol=1e-10)[0]
        # Long Newton steps are shortened to four prior spreads: far from the maximum they can overshoot.
        scores = scores + step * min(1.0, 4.0 * spread / max(float(np.abs(step).max(initial=0.0)), 1e-12))
        if np.abs(step).max(initial=0.0) < 1e-8 * spread:
            break
    return scores, _compute_derivatives(scores[first] - scores[second] + known, share, link)[1]


def _compute_derivatives(margin: FloatArray, share: FloatArray, link: LinkFunction) -> tuple[FloatArray, FloatArray]:
    """Return the derivative of each log-likelihood by its margin, and the expected information, which is positive."""
    import numpy as np
    from scipy.special import expit, log_ndtr

    if link == "bradley-terry":
        win_probability = expit(margin)
        return share - win_probability, win_probability * expit(-margin)
    # Ratios of density and distribution function, in logarithms: both underflow far out in the tails.
    log_density = -0.5 * margin**2 - 0.5 * np.log(2 * np.pi)
    win_ratio, loss_ratio = np.exp(log_density - log_ndtr(margin)), np.exp(log_density - log_ndtr(-margin))
    return share * win_ratio - (1 - share) * loss_ratio, win_ratio * loss_ratio


def _build_hessian(size: int, ends: IndexArray, information: FloatArray, spread: float) -> Any:
    """Return a weighted graph Laplacian plus the precision of the prior: dense up to MAX_DENSE_ITEMS, else sparse."""
    import numpy as np
    from scipy import sparse

    rows = np.concatenate([ends[:, 0], ends[:, 1], ends[:, 0], ends[:, 1]])
    columns = np.concatenate([ends[:, 0], ends[:, 1], ends[:, 1], ends[:, 0]])
    values = np.concatenate([information, information, -information, -information])
    hessian = sparse.coo_matrix((values, (rows, columns)), (size, size)).tocsr() + sparse.identity(size) / spread**2
    return hessian.toarray() if size <= MAX_DENSE_ITEMS else hessian
