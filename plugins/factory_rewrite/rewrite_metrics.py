"""How near a rewrite comes to the one that a person wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from factory.api import Eval, Metric, Row, ScoreJob, Scores, normalise


class RewriteMetrics(Eval):
    """Exact match, BLEU and chrF by sacrebleu, at its defaults: one reference, case kept, BLEU over `13a` tokens.

    A row's values are those of its sentence, 0 to 1; `corpus_bleu` and `corpus_chrf` are of all rows together, 0 to
    100, as papers print them, and the table `signatures` says how they were reckoned. The gate reads chrF: sentence
    BLEU must smooth, since most rewrites of eight words share no four words in a row or all of them, and so jumps
    where chrF, over characters, moves with each word that is missing or too much.
    """

    kind = "rewriting"
    columns = ("rewrite",)
    output_type = "text"
    primary_metric = "chrf"
    metrics = (
        Metric("chrf", "F-score of shared runs of one to six characters, recall weighing twice"),
        Metric("bleu", "geometric mean of the precision of one to four words in a row, smoothed"),
        Metric("exact", "whether it is the reference, but for case and punctuation", binary=True),
    )

    def compute_fingerprint(self) -> str:
        """The version of sacrebleu, whose tokens and smoothing the values rest on."""
        return version("sacrebleu")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        from sacrebleu.metrics import BLEU, CHRF

        bleu, chrf = BLEU(effective_order=True), CHRF()
        for row in job.rows:
            said, reference = get_rewrite(job, row), row["rewrite"]
            yield Scores(row.id, {
                "chrf": chrf.sentence_score(said, [reference]).score / 100,
                "bleu": bleu.sentence_score(said, [reference]).score / 100,
                "exact": float(normalise(said) == normalise(reference)),
            })

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        return {f"corpus_{name}": score for name, score, _ in _compute_corpus_scores(job)}

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        return {"signatures": [{"number": f"corpus_{name}", "signature": text} for name, _, text in _compute_corpus_scores(job)]}


def get_rewrite(job: ScoreJob, row: Row) -> str:
    """What was answered to a row. Raises ValueError when nothing was, or no text."""
    answer = job.answers.get(row.id)
    if answer is None:
        raise ValueError(f"row {row.id!r} has no answer")
    if not isinstance(answer.output, str):
        raise ValueError(f"row {row.id!r}: the answer is a {type(answer.output).__name__}, text is wanted")
    return answer.output


def _compute_corpus_scores(job: ScoreJob) -> Iterator[tuple[str, float, str]]:
    """Name, score over all rows, and sacrebleu's signature."""
    from sacrebleu.metrics import BLEU, CHRF

    said = [get_rewrite(job, row) for row in job.rows]
    references = [[row["rewrite"] for row in job.rows]]
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        score = metric.corpus_score(said, references).score
        yield name, score, str(metric.get_signature())
