"""Training objective of classifiers with several labels a row: a sigmoid for each label, with thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from factory.api import Answer, FitJob, ModelJob, ReferenceAnswers, TrainResult
from factory.api.label_sets import LABEL_SETS, build_label_set_output
from factory_classify import classifier_files
from factory_classify.embedding_baselines import classify_zero_shot
from factory_classify.head_training import fit_and_hold_out
from factory_classify.label_thresholds import read_label_thresholds, write_threshold_config
from factory_classify.lexical_baselines import render_row_texts
from factory_classify.multi_label_task import build_membership
from factory_classify.multi_label_tuning import tune_label_sets
from factory_classify.one_vs_rest import choose_common_penalty, compute_sigmoid, fit_one_vs_rest
from factory_classify.sentence_head import HeadBatch, HeadExamples, SentenceHeadObjective

if TYPE_CHECKING:
    from torch import Tensor, nn

    from factory.api import Kit
    from factory_classify.label_answers import Numbers


class MultiLabelObjective(SentenceHeadObjective):
    """Binary cross-entropy over the labels of the training rows, by a linear head on normalised sentence embeddings.

    The head starts as the one-vs-rest logistic regression of the baseline `linear`. Left-out rows then select the
    weight interpolation (Wortsman et al. 2022), a calibration (Platt 1999), which is folded into the head, and the
    threshold from which each label is given. The untuned base, which has no head, gives the one label whose name is
    nearest to the text. Loads as SentenceTransformer, whose embeddings are the logits.
    """

    kind = "multi-label"
    version = 2
    output_type = LABEL_SETS

    def fit(self, job: FitJob) -> TrainResult:
        labels, rows = job.task.list_choices(job.rows), [*job.rows, *job.validation]
        if not labels:
            raise ValueError("no training row has a label")
        if others := sorted({*job.task.list_choices(job.validation)} - {*labels}):
            job.report.note(f"validation rows have labels without training rows: {', '.join(others)}", warning=True)
        examples = self.embed_rows(job, rows, build_membership(job.task, rows, labels))
        c, scores = choose_common_penalty(examples.vectors, examples.targets)
        fitted = fit_and_hold_out(
            self, job, rows, examples, [tuple(each.nonzero()[0].tolist()) for each in examples.targets],
            lambda part: fit_one_vs_rest(part.vectors, part.targets, c),
        )
        tuned = tune_label_sets(job, fitted.heads, fitted.held_out)
        classifier_files.write_label_config(labels, job.out)
        write_threshold_config(job.out, tuned.thresholds)
        head = {"c": c, "cross_validated": round(max(scores.values(), default=0.0), 4)}
        facts = {**fitted.result.facts, "labels": len(labels), "start": head, **tuned.facts}
        return replace(fitted.result, facts=facts)

    def build_loss(self, kit: Kit, examples: HeadExamples) -> Callable[[nn.Module, HeadBatch], Tensor]:
        from torch.nn import functional

        def compute_loss(model: nn.Module, batch: HeadBatch) -> Tensor:
            logits = self.compute_batch_logits(kit, model, batch)
            # Summed over labels: their number then changes neither a label's gradient nor the learning rate it needs.
            total = functional.binary_cross_entropy_with_logits(logits, batch.targets.float(), reduction="sum")
            return total / len(logits)

        return compute_loss

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        if job.artifact is None:
            yield from _answer_by_label_names(job)
            return
        folder = job.artifact.folder
        yield from _build_set_answers(job, folder, self.compute_logits(job, folder))

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        """Return the answers of plain sentence-transformers; without an artifact there is no head, and each label has
        the probability of a half."""
        if job.artifact is None:
            labels = job.task.list_choices(job.rows)
            halves = [0.5] * len(labels)
            even = tuple(Answer(row.id, build_label_set_output(labels, halves, halves)) for row in job.rows)
            return ReferenceAnswers(even, 0, self.loader_class)
        logits, adapted = self.compute_plain_logits(job, job.artifact.folder)
        answers = tuple(_build_set_answers(job, job.artifact.folder, logits))
        return ReferenceAnswers(answers, adapted, self.loader_class)


def _build_set_answers(job: ModelJob, folder: Path, logits: Numbers) -> Iterator[Answer]:
    """Yield the answer to each row, from logits (rows, labels) and the labels and thresholds in a folder."""
    labels, thresholds = classifier_files.read_bundle_labels(folder), read_label_thresholds(folder)
    for row, probabilities in zip(job.rows, compute_sigmoid(logits), strict=True):
        yield Answer(row.id, build_label_set_output(labels, probabilities, thresholds))


def _answer_by_label_names(job: ModelJob) -> Iterator[Answer]:
    """Yield the label whose name is nearest to the text, by the cosine of embeddings of the untuned base."""
    labels, texts = job.task.list_choices(job.rows), render_row_texts(job.task, job.rows)
    if not labels:
        yield from (Answer(row.id, {}) for row in job.rows)
        return
    vectors = job.kit.embed(job.base, [*texts, *labels], report=job.report)
    shares = classify_zero_shot(vectors[: len(texts)], vectors[len(texts) :])
    for row, each in zip(job.rows, shares, strict=True):
        yield Answer(row.id, build_label_set_output(labels, each, [each.max()] * len(labels)))
