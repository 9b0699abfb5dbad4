"""Similarity of a rewrite to the human reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

from pydantic import Field

from factory.api import Eval, Metric, ScoreJob, Scores, normalise
from factory_evals.corpus_scores import compute_corpus_scores, list_corpus_counts
from factory_evals.text_answers import compose_text, get_text_answer


class RewriteMetrics(Eval):
    """Exact match, BLEU and chrF by sacrebleu: one reference, cased, BLEU over the tokens of `tokenize`.

    Texts are compared in Unicode's composed form (NFC): two spellings of "é" are one.

    A row's values are sentence scores from 0 to 1; `corpus_bleu` and `corpus_chrf` are over all rows, 0 to 100 as in
    papers, with their settings in the table `signatures`.

    Sentence BLEU decides, since no trick comes near a right rewrite by it. On the 881 test questions of CANARD the best
    of copying the question, pasting the history before it and pasting the first turn reaches 0.38 by it, 0.68 by chrF
    with beta 1 and 0.76 by token F1. ChrF with beta 2 rewards length: on one row in three it prefers the whole history
    to the bare question. Of the single edits that lead from a question to its rewrite, 99.7 % raise sentence BLEU.
    """

    kind = "rewriting"
    version = 3
    columns = ("rewrite",)
    output_type = "text"
    primary_metric = "sentence_bleu"
    metrics = (
        Metric("sentence_bleu", "smoothed geometric mean of word 1- to 4-gram precisions, less if too short"),
        Metric("chrf", "F-score of shared character 1- to 6-grams, with recall weighted twice (chrF2)"),
        Metric("exact", "whether it equals the reference but for case and punctuation; signs count", binary=True),
    )
    total_metrics = (
        Metric("corpus_bleu", "BLEU over all rows, 0 to 100"), Metric("corpus_chrf", "chrF over all rows, 0 to 100"),
    )

    tokenize: Literal["13a", "zh", "char"] = Field(
        "13a", description="tokens of BLEU, as sacrebleu names them: `zh` or `char` for languages without spaces"
    )

    def compute_fingerprint(self) -> str:
        """Return the version of sacrebleu, on which tokens and smoothing depend."""
        return version("sacrebleu")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        from sacrebleu.metrics import BLEU, CHRF

        bleu, chrf = BLEU(effective_order=True, tokenize=self.tokenize), CHRF()
        for row in job.rows:
            rewrite, reference = get_text_answer(job, row), compose_text(row["rewrite"])
            yield Scores(row.id, {
                "sentence_bleu": bleu.sentence_score(rewrite, [reference]).score / 100,
                "chrf": chrf.sentence_score(rewrite, [reference]).score / 100,
                "exact": float(normalise(rewrite) == normalise(reference)),
            })

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        return {f"corpus_{name}": score for name, score, _ in _compute_corpus_scores(job, self.tokenize)}

    def list_total_counts(self, name: str, job: ScoreJob) -> Any:
        """Return the n-gram statistics of each row, which sacrebleu adds up."""
        rewrites = [get_text_answer(job, row) for row in job.rows]
        references = [compose_text(row["rewrite"]) for row in job.rows]
        return list_corpus_counts(_make_corpus_metrics(self.tokenize)[name], rewrites, references)

    def compute_total_from_counts(self, name: str, sums: Any) -> Any:
        """Return sacrebleu's score of each resample."""
        return compute_corpus_scores(_make_corpus_metrics(self.tokenize)[name], sums)

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        scores = _compute_corpus_scores(job, self.tokenize)
        return {"signatures": [{"number": f"corpus_{name}", "signature": signature} for name, _, signature in scores]}


def _compute_corpus_scores(job: ScoreJob, tokenize: str) -> Iterator[tuple[str, float, str]]:
    """Yield (name, score over all rows, sacrebleu signature)."""
    rewrites = [get_text_answer(job, row) for row in job.rows]
    references = [[compose_text(row["rewrite"]) for row in job.rows]]
    for name, metric in _make_corpus_metrics(tokenize).items():
        yield name.removeprefix("corpus_"), metric.corpus_score(rewrites, references).score, str(metric.get_signature())


def _make_corpus_metrics(tokenize: str) -> dict[str, Any]:
    """Return the metrics over all rows by the name of their total."""
    from sacrebleu.metrics import BLEU, CHRF

    return {"corpus_bleu": BLEU(tokenize=tokenize), "corpus_chrf": CHRF()}
