"""Figures of ours that are those of a reference library: scores from comparisons, and doubtful labels."""

import numpy as np
import pytest

from factory_curators.confident_learning import find_label_issues
from factory_rerank.zelo.score_fitting import LOGIT_PER_PROBIT, PRIOR_SPREAD, fit_pairwise_scores


def test_bradley_terry_scores_are_those_of_choix() -> None:
    import choix

    draw = np.random.default_rng(3)
    for _ in range(10):
        worth = draw.normal(size=8) * 1.5
        pairs = [tuple(draw.choice(8, 2, replace=False).tolist()) for _ in range(40)]
        won = [bool(draw.random() < 1 / (1 + np.exp(worth[b] - worth[a]))) for a, b in pairs]
        data = [(a, b) if first else (b, a) for (a, b), first in zip(pairs, won, strict=True)]
        # choix adds alpha times the sum of squares: a normal prior of variance 1 / (2 alpha), on the scale of logits.
        alpha = 0.5 / (PRIOR_SPREAD * LOGIT_PER_PROBIT) ** 2
        theirs = choix.opt_pairwise(8, data, alpha=alpha, method="BFGS", tol=1e-10)
        ours = fit_pairwise_scores(8, pairs, [float(first) for first in won], "bradley-terry").scores
        assert ours * LOGIT_PER_PROBIT == pytest.approx(theirs - theirs.mean(), abs=1e-4)


def test_doubtful_labels_are_those_of_cleanlab() -> None:
    from cleanlab.filter import find_label_issues as find_by_cleanlab

    draw, names = np.random.default_rng(5), ["a", "b", "c"]
    ours_total = theirs_total = 0
    for _ in range(10):
        true = draw.integers(0, 3, 300)
        given = np.where(draw.random(300) < 0.1, draw.integers(0, 3, 300), true)
        probabilities = draw.dirichlet([1, 1, 1], 300) * 0.5 + np.eye(3)[true] * 0.5
        found = {issue.row for issue in find_label_issues(probabilities, [names[i] for i in given], names)}
        theirs = set(np.flatnonzero(find_by_cleanlab(given, probabilities, filter_by="confident_learning")).tolist())
        assert found <= theirs
        ours_total, theirs_total = ours_total + len(found), theirs_total + len(theirs)
    assert theirs_total > 100 and ours_total >= 0.99 * theirs_total
