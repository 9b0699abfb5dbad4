"""The baselines of classifiers where a row has several labels: scores by label, calibrated, with thresholds."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.api import Answer, AnswerJob, TrainResult
from factory.api.label_sets import build_label_set_output, list_row_labels
from factory_classify.frozen_base_head import write_frozen_head
from factory_classify.label_decisions import (
    SigmoidCalibration,
    choose_label_thresholds,
    choose_sigmoid_calibration,
    measure_label_calibration,
)
from factory_classify.labelled_vectors import LabelledVectors
from factory_classify.lexical_baselines import render_row_texts
from factory_classify.logistic_head import LogisticHead
from factory_classify.multi_label_task import build_membership
from factory_classify.one_vs_rest import (
    choose_common_penalty,
    find_best_threshold,
    fit_one_vs_rest,
    predict_sets_left_out,
)

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


@dataclass(frozen=True, slots=True)
class EmbeddedRows:
    """The labels of the training rows, the embeddings of rows by the untrained base, and those of the job's rows."""

    labels: Sequence[str]
    train: LabelledVectors
    validation: LabelledVectors
    rows: Vectors


@dataclass(frozen=True, slots=True)
class SetDecision:
    """How scores become sets of labels, and the facts to record of it."""

    calibration: SigmoidCalibration
    thresholds: Numbers
    facts: Mapping[str, Any]


def choose_set_decision(known: LabelledVectors, default: SigmoidCalibration) -> SetDecision:
    """Return the calibration and the thresholds that suit `known`, the scores of rows that a baseline had not seen."""
    members, calibration = known.targets, default
    if len(members):
        calibration, _ = choose_sigmoid_calibration(known.vectors, members, default)
    probabilities = calibration.compute_probabilities(known.vectors)
    thresholds, chosen = choose_label_thresholds(probabilities, members)
    measured = measure_label_calibration(probabilities, members) if len(members) else {}
    return SetDecision(calibration, thresholds, {
        "thresholds": chosen, "scale": round(calibration.scale, 4), "offset": round(calibration.offset, 4),
        **{name: round(value, 4) for name, value in measured.items()},
    })


def answer_by_scores(
    job: AnswerJob, labels: Sequence[str], decision: SetDecision, scores: Numbers, **facts: Any
) -> Iterator[Answer]:
    """Answer by the scores of a baseline for the job's rows: (rows, labels)."""
    job.record_facts(**decision.facts, **facts)
    for row, each in zip(job.rows, decision.calibration.compute_probabilities(scores), strict=True):
        yield Answer(row.id, build_label_set_output(labels, each, decision.thresholds))


def embed_rows(job: AnswerJob) -> EmbeddedRows:
    """Return the rows of a job with their embeddings by the untrained base."""
    import numpy as np

    labels = job.task.list_choices(job.train)
    texts = render_row_texts(job.task, [*job.train, *job.validation, *job.rows])
    vectors = job.kit.embed(job.base, texts, report=job.report)
    train, validation, rows = np.split(vectors, np.cumsum([len(job.train), len(job.validation)]))
    return EmbeddedRows(
        labels, LabelledVectors(train, build_membership(job.task, job.train, labels)),
        LabelledVectors(validation, build_membership(job.task, job.validation, labels)), rows,
    )


def answer_by_refit(
    job: AnswerJob, embedded: EmbeddedRows, build_scorer: Callable[[LabelledVectors], SetScorer],
    default: SigmoidCalibration, **facts: Any,
) -> Iterator[Answer]:
    """Answer by a scorer of training and validation rows; one of the training rows alone tells how to calibrate it."""
    validation = embedded.validation
    known = LabelledVectors(build_scorer(embedded.train)(validation.vectors), validation.targets)
    scores = build_scorer(embedded.train.join(embedded.validation))(embedded.rows)
    yield from answer_by_scores(job, embedded.labels, choose_set_decision(known, default), scores, **facts)


def answer_by_centroid(job: AnswerJob) -> Iterator[Answer]:
    """Answer by how much nearer a text is to the mean of the rows with a label than to those without it.

    The scores are differences of two cosines.
    """

    def build_scorer(examples: LabelledVectors) -> SetScorer:
        import numpy as np

        sums = (mask.T.astype(np.float64) @ examples.vectors for mask in (examples.targets, ~examples.targets))
        own, other = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in sums)
        return lambda vectors: vectors @ (own - other).T

    yield from answer_by_refit(job, embed_rows(job), build_scorer, COSINE)


def answer_by_neighbours(job: AnswerJob, counts: Sequence[int], inverse_temperature: float) -> Iterator[Answer]:
    """Answer by the log-odds of each label's share in the votes of the nearest rows.

    Of the numbers of neighbours, the one with the best example-based F1 on validation rows is taken.
    """
    embedded = embed_rows(job)
    train, validation = embedded.train, embedded.validation

    def vote(examples: LabelledVectors, vectors: Vectors, count: int) -> Numbers:
        return vote_by_neighbours(examples.vectors, examples.targets, vectors, count, inverse_temperature)

    order = sorted({min(count, len(job.train)) for count in counts})
    best = order[-1]
    if len(job.validation):
        found = {count: find_best_threshold(vote(train, validation.vectors, count), validation.targets)[1]
                 for count in order}
        best = max(order, key=lambda count: round(found[count], 6))

    def build_scorer(examples: LabelledVectors) -> SetScorer:
        def compute_log_odds(vectors: Vectors) -> Numbers:
            import numpy as np

            voted = vote(examples, vectors, best)
            odds: Numbers = np.log((voted + MIN_VOTE_SHARE) / (1 - voted + MIN_VOTE_SHARE))
            return odds

        return compute_log_odds

    yield from answer_by_refit(job, embedded, build_scorer, PLAIN, neighbours=best)


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
    """Answer by one logistic regression for each label, on training and validation rows.

    Penalty, calibration and thresholds follow from cross-validation.
    """
    embedded = embed_rows(job)
    head, decision, facts = fit_set_regression(embedded, values, folds)
    yield from answer_by_scores(job, embedded.labels, decision, head.compute_logits(embedded.rows), **facts)


def export_set_regression(job: AnswerJob, values: Sequence[float], folds: int, out: Path) -> TrainResult:
    """Write the regressions as a head on the frozen base, with the calibration folded in and the thresholds."""
    embedded = embed_rows(replace(job, rows=()))
    head, decision, facts = fit_set_regression(embedded, values, folds)
    scale, offset = decision.calibration.scale, decision.calibration.offset
    folded = LogisticHead(scale * head.weight, scale * head.bias + offset)
    write_frozen_head(out, folded, embedded.labels, job.base.folder, decision.thresholds)
    size = folded.weight.size + folded.bias.size
    return TrainResult(0, 0, size, size, {**decision.facts, **facts}, "head")


def fit_set_regression(
    embedded: EmbeddedRows, values: Sequence[float], folds: int
) -> tuple[LogisticHead, SetDecision, dict[str, Any]]:
    """Return the regressions on training and validation rows, how they decide, and the penalty with its figures."""
    every = embedded.train.join(embedded.validation)
    c, scores = choose_common_penalty(every.vectors, every.targets, values, folds)
    left_out = predict_sets_left_out(every.vectors, every.targets, c, folds)
    known = LabelledVectors(left_out, every.targets[: len(left_out)])
    tried = {f"{value:g}": round(score, 4) for value, score in scores.items()}
    head = fit_one_vs_rest(every.vectors, every.targets, c)
    return head, choose_set_decision(known, PLAIN), {"c": c, "cross_validated": tried}


def answer_by_tfidf(job: AnswerJob, features: Any, values: Sequence[float]) -> Iterator[Answer]:
    """Answer by a linear support vector machine for each label; C is chosen by F1 on validation rows.

    The machine that answers has learned from these rows too.
    """
    import numpy as np

    labels = job.task.list_choices(job.train)
    members, unseen = (build_membership(job.task, rows, labels) for rows in (job.train, job.validation))
    texts, others = (render_row_texts(job.task, rows) for rows in (job.train, job.validation))
    best, known = 1.0, LabelledVectors(np.zeros((0, len(labels))), unseen)
    if others:
        table, held = features.fit_transform(texts), features.transform(others)
        margins = {c: _compute_set_margins(_fit_machines(table, members, c), held) for c in sorted(values)}
        best = max(margins, key=lambda c: round(_score_margins(margins[c], unseen), 6))
        known = LabelledVectors(margins[best], unseen)
    table = features.fit_transform([*texts, *others])
    model = _fit_machines(table, np.concatenate([members, unseen]), best)
    scores = _compute_set_margins(model, features.transform(render_row_texts(job.task, job.rows)))
    decision = choose_set_decision(known, PLAIN)
    yield from answer_by_scores(job, labels, decision, scores, strength=best, features=int(table.shape[1]))


def _fit_machines(table: Any, members: Membership, c: float) -> Any:
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Label .* is present in all training examples")
        return OneVsRestClassifier(LinearSVC(C=c, random_state=0)).fit(table, members.astype(int))


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
