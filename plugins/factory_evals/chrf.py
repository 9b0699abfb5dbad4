"""ChrF: overlap with the right answer in short runs of characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, Literal

from pydantic import Field

from factory.api import Eval, Metric, ScoreJob, Scores
from factory_evals.corpus_scores import compute_corpus_scores, list_corpus_counts
from factory_evals.text_answers import iterate_text_pairs


class Chrf(Eval):
    """F-score of character 1- to 6-grams shared with the right answer (Popović 2015), by sacrebleu: cased.

    It needs no words, and so suits every language and rich inflection. With `beta` 2, as papers report it, recall
    weighs more and longer answers win; with 1 a padded answer gains nothing. A row has the score of its text, 0 to 1;
    the total `corpus_chrf` is over the counts of all rows, 0 to 100.
    """

    kind = "chrf"
    output_type = "text"
    primary_metric = "chrf"
    metrics = (Metric("chrf", "F-score of shared character 1- to 6-grams with the right answer"),)
    total_metrics = (Metric("corpus_chrf", "chrF over all rows, 0 to 100"),)
    uses_task = True

    beta: Literal[1, 2] = Field(2, description="how much recall weighs against precision")
    word_order: Literal[0, 2] = Field(0, description="longest word n-grams that count too: 2 is chrF++")

    def compute_fingerprint(self) -> str:
        """Return the version of sacrebleu, by which scores may differ."""
        return version("sacrebleu")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        metric = self._make_metric()
        for row, answer, right in iterate_text_pairs(job):
            yield Scores(row.id, {"chrf": metric.sentence_score(answer, [right]).score / 100})

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        _, answers, references = zip(*iterate_text_pairs(job), strict=True)
        return {"corpus_chrf": self._make_metric().corpus_score(answers, [references]).score}

    def list_total_counts(self, name: str, job: ScoreJob) -> Any:
        """Return the n-gram counts of each row."""
        _, answers, references = zip(*iterate_text_pairs(job), strict=True)
        return list_corpus_counts(self._make_metric(), answers, references)

    def compute_total_from_counts(self, name: str, sums: Any) -> Any:
        """Return sacrebleu's score of each resample."""
        return compute_corpus_scores(self._make_metric(), sums)

    def _make_metric(self) -> Any:
        from sacrebleu.metrics import CHRF

        return CHRF(beta=self.beta, word_order=self.word_order)
