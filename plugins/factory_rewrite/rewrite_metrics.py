"""Similarity of a rewrite to the human reference."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from factory.api import Eval, Metric, Row, ScoreJob, Scores, normalise


class RewriteMetrics(Eval):
    """Exact match, BLEU and chrF by sacrebleu with its defaults: one reference, cased, BLEU over `13a` tokens.

    Texts are compared in Unicode's composed form (NFC): two spellings of "é" are one.

    A row's values are sentence scores from 0 to 1; `corpus_bleu` and `corpus_chrf` are over all rows, 0 to 100 as in
    papers, with their settings in the table `signatures`. The gate uses chrF: most eight-word rewrites share no
    4-gram with the reference, or all, so that smoothed sentence BLEU jumps where chrF moves with every word.
    """

    kind = "rewriting"
    version = 2
    columns = ("rewrite",)
    output_type = "text"
    primary_metric = "chrf"
    metrics = (
        Metric("chrf", "F-score of shared character 1- to 6-grams, with recall weighted twice"),
        Metric("bleu", "smoothed geometric mean of word 1- to 4-gram precisions"),
        Metric("exact", "whether it equals the reference but for case and punctuation; signs count", binary=True),
    )
    total_metrics = (
        Metric("corpus_bleu", "BLEU over all rows, 0 to 100"), Metric("corpus_chrf", "chrF over all rows, 0 to 100"),
    )

    def compute_fingerprint(self) -> str:
        """Return the version of sacrebleu, on which tokens and smoothing depend."""
        return version("sacrebleu")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        from sacrebleu.metrics import BLEU, CHRF

        bleu, chrf = BLEU(effective_order=True), CHRF()
        for row in job.rows:
            rewrite, reference = get_rewrite(job, row), compose_text(row["rewrite"])
            yield Scores(row.id, {
                "chrf": chrf.sentence_score(rewrite, [reference]).score / 100,
                "bleu": bleu.sentence_score(rewrite, [reference]).score / 100,
                "exact": float(normalise(rewrite) == normalise(reference)),
            })

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        return {f"corpus_{name}": score for name, score, _ in _compute_corpus_scores(job)}

    def list_total_counts(self, name: str, job: ScoreJob) -> Any:
        """Return the n-gram statistics of each row, which sacrebleu adds up."""
        rewrites = [get_rewrite(job, row) for row in job.rows]
        references = [[compose_text(row["rewrite"]) for row in job.rows]]
        return _make_corpus_metrics()[name]._extract_corpus_statistics(rewrites, references)

    def compute_total_from_counts(self, name: str, sums: Any) -> Any:
        """Return sacrebleu's score of each resample."""
        metric = _make_corpus_metrics()[name]
        return [metric._compute_score_from_stats(line).score for line in sums.round().astype(int).tolist()]

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        scores = _compute_corpus_scores(job)
        return {"signatures": [{"number": f"corpus_{name}", "signature": signature} for name, _, signature in scores]}


def get_rewrite(job: ScoreJob, row: Row) -> str:
    """Return the answer to a row, composed. Raises ValueError if it is missing or not a text."""
    answer = job.answers.get(row.id)
    if answer is None:
        raise ValueError(f"row {row.id!r} has no answer")
    if not isinstance(answer.output, str):
        raise ValueError(f"row {row.id!r}: expected a text as answer, got a {type(answer.output).__name__}")
    return compose_text(answer.output)


def compose_text(text: str) -> str:
    """Return the text in Unicode's composed form (NFC), so that n-grams do not depend on how accents are written."""
    return unicodedata.normalize("NFC", text)


def _compute_corpus_scores(job: ScoreJob) -> Iterator[tuple[str, float, str]]:
    """Yield (name, score over all rows, sacrebleu signature)."""
    rewrites = [get_rewrite(job, row) for row in job.rows]
    references = [[compose_text(row["rewrite"]) for row in job.rows]]
    for name, metric in _make_corpus_metrics().items():
        yield name.removeprefix("corpus_"), metric.corpus_score(rewrites, references).score, str(metric.get_signature())


def _make_corpus_metrics() -> dict[str, Any]:
    """Return the metrics over all rows by the name of their total."""
    from sacrebleu.metrics import BLEU, CHRF

    return {"corpus_bleu": BLEU(), "corpus_chrf": CHRF()}
