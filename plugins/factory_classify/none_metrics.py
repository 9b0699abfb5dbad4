"""Metrics of a classifier with a label that means "none of these": accuracy in scope, and how that label is told.

None of them is a mean over all rows, so each row gets what it contributes: the metric, plus its own deviation on the
rows that the metric is of, times the inverse of their share. The mean of these is the metric, and the variance of
their mean is that of the metric: of AUROC the one of DeLong et al. (1988), so that paired tests of them hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from factory.api import Answer, Metric
from factory_classify.label_answers import pick_best_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from factory_classify.label_answers import Numbers

NONE_METRICS = (
    Metric("in_scope_accuracy", "share of the rows in scope whose most probable label is right"),
    Metric("none_recall", "share of the rows that are none of these for which that label is the most probable"),
    Metric("none_auroc", "AUROC of the probability of none of these: how well it tells such rows from those in scope"),
)


def compute_none_values(right: Sequence[str], answers: Sequence[Answer], none: str) -> Mapping[str, Numbers]:
    """Return what each row contributes to each metric: metric → (rows,).

    An answer without the label gives it the probability 0. A metric of which these rows have no instance is 0.
    """
    import numpy as np

    is_none = np.array([label == none for label in right])
    hits = np.array([
        pick_best_label(answer)[0] == label for label, answer in zip(right, answers, strict=True)
    ], dtype=np.float64)
    probabilities = np.array([answer.output.get(none, 0.0) for answer in answers], dtype=np.float64)
    return {
        "in_scope_accuracy": _spread_share(hits, ~is_none), "none_recall": _spread_share(hits, is_none),
        "none_auroc": _spread_auroc(probabilities, is_none),
    }


def compute_none_totals(right: Sequence[str], answers: Sequence[Answer], none: str) -> Mapping[str, float]:
    """Return the metrics, and the precision: the share of the answers "none of these" that are right, if there are any.

    Raises ValueError if the rows are all of the label, or none is.
    """
    if len({label == none for label in right}) < 2:
        few = "every test row has" if none in right else "no test row has"
        raise ValueError(f"{few} the label {none!r}, which task.none names: neither recall nor AUROC can be measured")
    found = [label for label, answer in zip(right, answers, strict=True) if pick_best_label(answer)[0] == none]
    precision = {"none_precision": sum(label == none for label in found) / len(found)} if found else {}
    means = {name: float(values.mean()) for name, values in compute_none_values(right, answers, none).items()}
    return {**means, **precision}


def _spread_share(hits: Numbers, counted: NDArray[np.bool_]) -> Numbers:
    """Return what each row contributes to the share of hits among the counted rows."""
    import numpy as np

    if not counted.any():
        return np.zeros(len(hits))
    share = hits[counted].mean()
    spread: Numbers = np.where(counted, share + (hits - share) * len(hits) / counted.sum(), share)
    return spread


def _spread_auroc(scores: Numbers, is_none: NDArray[np.bool_]) -> Numbers:
    """Return what each row contributes to the probability that a row of the label has the higher score; ties count
    half (Mann-Whitney)."""
    import numpy as np
    from scipy.stats import rankdata

    count, others = int(is_none.sum()), int((~is_none).sum())
    if not count or not others:
        return np.zeros(len(scores))
    # The share of the rows of the other side that a row is told from: its rank among all, less that among its own.
    ranks, told = rankdata(scores), np.empty(len(scores))
    told[is_none] = (ranks[is_none] - rankdata(scores[is_none])) / others
    told[~is_none] = 1 - (ranks[~is_none] - rankdata(scores[~is_none])) / count
    auroc = told[is_none].mean()
    spread: Numbers = auroc + (told - auroc) * len(scores) / np.where(is_none, count, others)
    return spread
