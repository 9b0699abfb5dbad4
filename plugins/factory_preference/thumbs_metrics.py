"""Metrics of thumbs: whether a contender ranks good answers above bad ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from factory.api import Eval, Metric, ScoreJob, Scores
from factory_preference.answer_soundness import list_sound_answers
from factory_preference.judged_answers import GIVEN, compute_auc


class ThumbsMetrics(Eval):
    """Whether a contender ranks the answers with a thumb up above those with a thumb down.

    A model's score of an answer is what its log-probability gained on the untuned base, and the base's own is its
    log-probability per token. The total `auc` is the share of couples of a good and a bad answer that are ranked
    right, with one half for ties: whoever finds everything good, or learnt nothing, has 0.5, whatever the share of good
    answers. So it decides by default. A contender that only writes texts has no scores: it is a coin.

    `sound` is about what a contender writes, for a guard of the gate: `{metric: sound, within: 0.1}`.
    """

    kind = "thumbs"
    columns = ("prompt", "good")
    output_type = "text"
    primary_metric = "agreement"
    metrics = (
        Metric("agreement", "whether it is good and among as many best-scored answers as are good, or neither"),
        Metric("sound", "whether its own answer is not blank, no loop and no copy of the prompt", binary=True),
    )
    total_metrics = (Metric("auc", "share of couples of a good and a bad answer that are ranked right"),)

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row, agreement, sound in zip(job.rows, list_agreements(job), list_sound_answers(job), strict=True):
            yield Scores(row.id, {"agreement": agreement, "sound": sound})

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        scores = [job.answers[row.id].details.get(GIVEN, 0.0) for row in job.rows]
        return {"auc": compute_auc(scores, [bool(row["good"]) for row in job.rows])}


def list_agreements(job: ScoreJob) -> Sequence[float]:
    """Return 1.0 for each row on which the scores agree with the thumb, 0.0 where they do not, 0.5 without scores.

    Scores have no natural threshold: as many rows count as good as are good. Rows that tie with a worse place do not.
    """
    scores = [job.answers[row.id].details.get(GIVEN) for row in job.rows]
    known = sorted((score for score in scores if score is not None), reverse=True)
    labels = [bool(row["good"]) for row, score in zip(job.rows, scores, strict=True) if score is not None]
    limit = known[sum(labels)] if sum(labels) < len(known) else float("-inf")
    return [
        0.5 if score is None else float((score > limit) == bool(row["good"]))
        for row, score in zip(job.rows, scores, strict=True)
    ]
