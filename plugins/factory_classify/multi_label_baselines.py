"""The baselines of classifiers where a row has several labels: scores by label, calibrated, with thresholds."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from factory.api import Answer, AnswerJob
from factory.api.label_sets import build_label_set_output, list_row_labels
from factory_classify.label_decisions import (
    SigmoidCalibration,
    choose_label_thresholds,
    choose_sigmoid_calibration,
    measure_label_calibration,
)
from factory_classify.lexical_baselines import render_row_texts
from factory_classify.multi_label_task import build_membership
from factory_classify.one_vs_rest import choose_common_penalty, find_best_threshold, fit_one_vs_rest

if TYPE_CHECKING:
    from factory_classify.label_answers import Numbers
    from factory_classify.logistic_head import Vectors
    from factory_classify.multi_label_task import Membership

    SetScorer = Callable[[Any], Numbers]
    """From features or embeddings to scores (rows, labels)."""

PLAIN = SigmoidCalibration()
COSINE = SigmoidCalibration(20.0, 0.0)
"""For differences of cosines, until validation rows say better."""
MIN_VOTE_SHARE = 1e-3
MAX_SHARE = 0.999999
SURE_THRESHOLD, NEVER_THRESHOLD = 0.0, 1.0


def answer_by_scores(
    job: AnswerJob, labels: Sequence[str], scores: Callable[[str], Numbers], default: SigmoidCalibration,
    **facts: Any,
) -> Iterator[Answer]:
    """Answer by the scores of a baseline, `scores` of "validation" and of "rows": (rows, labels).

    Calibration and thresholds are those that suit the validation rows; the facts of both are recorded.
    """
    members = build_membership(job.task, job.validation, labels)
    calibration, probabilities = default, members.astype("float64")
    if len(job.validation):
        known = scores("validation")
        calibration, _ = choose_sigmoid_calibration(known, members, default)
        probabilities = calibration.compute_probabilities(known)
    thresholds, chosen = choose_label_thresholds(probabilities, members)
    measured = measure_label_calibration(probabilities, members) if len(members) else {}
    job.record_facts(
        thresholds=chosen, scale=round(calibration.scale, 4), offset=round(calibration.offset, 4), **facts,
        **{name: round(value, 4) for name, value in measured.items()},
    )
    for row, each in zip(job.rows, calibration.compute_probabilities(scores("rows")), strict=True):
        yield Answer(row.id, build_label_set_output(labels, each, thresholds))


def embed_row_texts(job: AnswerJob) -> dict[str, Vectors]:
    """Return the embeddings of the job's "train", "validation" and "rows" by the untrained base."""
    import numpy as np

    texts = render_row_texts(job.task, [*job.train, *job.validation, *job.rows])
    vectors = job.kit.embed(job.base, texts, report=job.report)
    train, validation, rows = np.split(vectors, np.cumsum([len(job.train), len(job.validation)]))
    return {"train": train, "validation": validation, "rows": rows}


def answer_by_centroid(job: AnswerJob) -> Iterator[Answer]:
    """Answer by how much nearer a text is to the mean of the training rows with a label than to those without it.

    The scores are differences of two cosines.
    """
    import numpy as np

    labels, vectors = job.task.list_choices(job.train), embed_row_texts(job)
    members = build_membership(job.task, job.train, labels)
    sums = (mask.T.astype(np.float64) @ vectors["train"] for mask in (members, ~members))
    own, other = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in sums)
    yield from answer_by_scores(job, labels, lambda part: vectors[part] @ (own - other).T, COSINE)


def answer_by_neighbours(job: AnswerJob, counts: Sequence[int], inverse_temperature: float) -> Iterator[Answer]:
    """Answer by the log-odds of each label's share in the votes of the nearest training rows.

    Of the numbers of neighbours, the one with the best example-based F1 on validation rows is taken.
    """
    labels, vectors = job.task.list_choices(job.train), embed_row_texts(job)
    members, validation = (build_membership(job.task, rows, labels) for rows in (job.train, job.validation))
    shares = {
        count: vote_by_neighbours(vectors["train"], members, vectors["validation"], count, inverse_temperature)
        for count in sorted({min(count, len(job.train)) for count in counts})
    }
    best = max(shares)
    if len(job.validation):
        best = max(shares, key=lambda count: round(find_best_threshold(shares[count], validation)[1], 6))

    def compute_log_odds(part: str) -> Numbers:
        import numpy as np

        voted = vote_by_neighbours(vectors["train"], members, vectors[part], best, inverse_temperature)
        odds: Numbers = np.log((voted + MIN_VOTE_SHARE) / (1 - voted + MIN_VOTE_SHARE))
        return odds

    yield from answer_by_scores(job, labels, compute_log_odds, PLAIN, neighbours=best)


def vote_by_neighbours(
    train: Vectors, members: Membership, queries: Vectors, count: int, inverse_temperature: float
) -> Numbers:
    """Return the share of the nearest training rows, weighted by similarity, with each label: (queries, labels)."""
    import numpy as np

    cosines = np.round(queries.astype(np.float64) @ train.T, 6)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    weights = np.exp(inverse_temperature * (np.take_along_axis(cosines, nearest, axis=1) - 1))
    shares: Numbers = np.einsum("qn,qnl->ql", weights / weights.sum(axis=1, keepdims=True), members[nearest])
    return shares


def answer_by_regression(job: AnswerJob, values: Sequence[float], folds: int) -> Iterator[Answer]:
    """Answer by one logistic regression for each label, with the penalty chosen by cross-validation."""
    labels, vectors = job.task.list_choices(job.train), embed_row_texts(job)
    members = build_membership(job.task, job.train, labels)
    c, scores = choose_common_penalty(vectors["train"], members, values, folds)
    head = fit_one_vs_rest(vectors["train"], members, c)
    tried = {f"{value:g}": round(score, 4) for value, score in scores.items()}
    yield from answer_by_scores(
        job, labels, lambda part: head.compute_logits(vectors[part]), PLAIN, c=c, cross_validated=tried
    )


def answer_by_tfidf(job: AnswerJob, features: Any, values: Sequence[float]) -> Iterator[Answer]:
    """Answer by a linear support vector machine for each label; C is chosen by F1 on validation rows."""
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    labels = job.task.list_choices(job.train)
    members, validation = (build_membership(job.task, rows, labels) for rows in (job.train, job.validation))
    train = features.fit_transform(render_row_texts(job.task, job.train))
    tables = {
        "validation": features.transform(render_row_texts(job.task, job.validation)) if job.validation else None,
        "rows": features.transform(render_row_texts(job.task, job.rows)),
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Label .* is present in all training examples")
        models = {
            c: OneVsRestClassifier(LinearSVC(C=c, random_state=0)).fit(train, members.astype(int))
            for c in (sorted(values) if job.validation else [1.0])
        }
    margins = {c: _compute_set_margins(model, tables["validation"]) for c, model in models.items() if job.validation}
    best = max(models, key=lambda c: round(_score_margins(margins[c], validation), 6)) if margins else 1.0
    yield from answer_by_scores(
        job, labels, lambda part: _compute_set_margins(models[best], tables[part]), PLAIN,
        strength=best, features=int(train.shape[1]),
    )


def _compute_set_margins(model: Any, features: Any) -> Numbers:
    """Return a column for each label; scikit-learn returns a flat array for a single label."""
    margins: Numbers = model.decision_function(features)
    return margins if margins.ndim == 2 else margins[:, None]


def _score_margins(margins: Numbers, members: Membership) -> float:
    """Return the best example-based F1 that a common threshold reaches."""
    return find_best_threshold(PLAIN.compute_probabilities(margins), members)[1]


def answer_by_majority(job: AnswerJob) -> Iterator[Answer]:
    """Answer every row with the most frequent set of labels, and the frequency of each label as its probability."""
    labels = job.task.list_choices(job.train)
    sets = Counter(list_row_labels(job.task, row) for row in job.train)
    majority = min(sets, key=lambda each: (-sets[each], each))
    frequencies = build_membership(job.task, job.train, labels).mean(axis=0)
    # A threshold of 0 gives a label at any probability, one of 1 never: no share reaches it.
    thresholds = [SURE_THRESHOLD if label in majority else NEVER_THRESHOLD for label in labels]
    output = build_label_set_output(labels, [min(share, MAX_SHARE) for share in frequencies], thresholds)
    yield from (Answer(row.id, dict(output)) for row in job.rows)
