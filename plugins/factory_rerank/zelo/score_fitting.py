"""From comparisons to scores: Thurstone or Bradley-Terry by penalised maximum likelihood, with standard errors.

An item's score is a latent worth s; a beats b with probability F(s_a - s_b + offset), F the normal (Thurstone 1927,
case V) or the logistic (Bradley and Terry 1952) distribution. A judgement is a share: 1 when a won, 0 when b did, 0.5
for a tie, anything between for a judge that gives probabilities; its loss is the cross-entropy with F, which has one
minimum for both links. Scores have the prior N(0, spread²): it keeps an item that won every comparison finite, and
fixes the origin that differences leave open. The spread is given and not estimated: with four comparisons an item the
estimate (EM, or the Laplace marginal likelihood) is far too small, and the order hardly depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

LinkFunction = Literal["thurstone", "bradley-terry"]
LOGIT_PER_PROBIT = 1.702
"""What a probit scale is multiplied by to be a logit scale, nearly."""
PRIOR_SPREAD = 2.0
"""The prior's standard deviation in units of a judge's noise: of 1 to 3 the one whose errors hold in simulations."""
MAX_DENSE_ITEMS = 1500
"""Items up to which the inverse Hessian is computed whole."""


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

    The scores of connected items have mean 0. An item in no pair gets 0, and an error as wide as the prior. A logit
    scale is wider than a probit scale, so Bradley-Terry's scores are divided by 1.702 to be read alike. Raises
    ValueError for shares beyond 0 to 1 or items beyond `size`.
    """
    import numpy as np

    unit = LOGIT_PER_PROBIT if link == "bradley-terry" else 1.0
    ends = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    share, known = np.asarray(shares, dtype=np.float64), np.zeros(len(ends))
    if offsets is not None:
        known = np.asarray(offsets, dtype=np.float64) * unit
    _check_comparisons(size, ends, share, known)
    scores, curve = _maximise_likelihood(np.zeros(size), ends, share, known, link, spread * unit)
    return ScoreFit(scores / unit, _compute_standard_errors(size, ends, curve, spread * unit) / unit)


def _check_comparisons(size: int, ends: NDArray[np.int64], share: FloatArray, known: FloatArray) -> None:
    if not len(ends) == len(share) == len(known):
        raise ValueError(f"{len(ends)} pairs, {len(share)} shares and {len(known)} offsets")
    if len(share) and not (share.min() >= 0 and share.max() <= 1):
        raise ValueError("a judgement is a share from 0 to 1")
    if len(ends) and not (ends.min() >= 0 and ends.max() < size):
        raise ValueError(f"a pair names an item beyond the {size} items")


def _maximise_likelihood(
    scores: FloatArray, ends: NDArray[np.int64], share: FloatArray, known: FloatArray, link: LinkFunction, width: float
) -> tuple[FloatArray, FloatArray]:
    """The scores at the maximum, and the curvature of each judgement's loss there (its Fisher information)."""
    import numpy as np

    first, second = ends[:, 0], ends[:, 1]
    for _ in range(50):
        slope, curve = _compute_derivatives(scores[first] - scores[second] + known, share, link)
        gradient = np.bincount(first, slope, len(scores)) - np.bincount(second, slope, len(scores)) - scores / width**2
        step = _solve_linear_system(_build_hessian(len(scores), ends, curve, width), gradient)
        scores = scores + step * min(1.0, 4.0 * width / max(float(np.abs(step).max(initial=0.0)), 1e-12))
        if np.abs(step).max(initial=0.0) < 1e-8 * width:
            break
    return scores, _compute_derivatives(scores[first] - scores[second] + known, share, link)[1]


def _compute_derivatives(margin: FloatArray, share: FloatArray, link: LinkFunction) -> tuple[FloatArray, FloatArray]:
    """Of each log-likelihood by its margin: the slope, and the expected information, which is above 0 everywhere."""
    import numpy as np
    from scipy.special import expit, log_ndtr

    if link == "bradley-terry":
        won = expit(margin)
        return share - won, won * expit(-margin)
    log_density = -0.5 * margin**2 - 0.5 * np.log(2 * np.pi)
    up, down = np.exp(log_density - log_ndtr(margin)), np.exp(log_density - log_ndtr(-margin))
    return share * up - (1 - share) * down, up * down


def _build_hessian(size: int, ends: NDArray[np.int64], curve: FloatArray, width: float) -> Any:
    """The information matrix: a weighted graph Laplacian plus the prior; dense when small, sparse when not."""
    import numpy as np
    from scipy import sparse

    rows = np.concatenate([ends[:, 0], ends[:, 1], ends[:, 0], ends[:, 1]])
    columns = np.concatenate([ends[:, 0], ends[:, 1], ends[:, 1], ends[:, 0]])
    values = np.concatenate([curve, curve, -curve, -curve])
    whole = sparse.coo_matrix((values, (rows, columns)), (size, size)).tocsr() + sparse.identity(size) / width**2
    return whole.toarray() if size <= MAX_DENSE_ITEMS else whole


def _solve_linear_system(matrix: Any, right: FloatArray) -> FloatArray:
    from scipy import linalg
    from scipy.sparse.linalg import cg

    if matrix.shape[0] <= MAX_DENSE_ITEMS:
        return linalg.solve(matrix, right, assume_a="pos")  # type: ignore[no-any-return]
    return cg(matrix, right, rtol=1e-10)[0]  # type: ignore[no-any-return]


def _compute_standard_errors(size: int, ends: NDArray[np.int64], curve: FloatArray, width: float) -> FloatArray:
    """Standard errors by the inverse Hessian; beyond DENSE items by its diagonal alone, which is a little less."""
    import numpy as np

    matrix = _build_hessian(size, ends, curve, width)
    inverse = np.diag(np.linalg.inv(matrix)) if size <= MAX_DENSE_ITEMS else 1 / matrix.diagonal()
    return np.sqrt(inverse)  # type: ignore[no-any-return]
