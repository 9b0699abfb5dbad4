"""Training objective of classifiers: sentence embeddings, a linear head on them, and calibrated probabilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from factory.api import Answer, FitJob, Fraction, ModelJob, ReferenceAnswers, TrainResult
from factory.api.spec_block import UnkeyedDefault
from factory_classify import classifier_files
from factory_classify.after_training import tune_after_training
from factory_classify.embedding_baselines import classify_zero_shot
from factory_classify.head_training import fit_and_hold_out
from factory_classify.label_answers import build_label_answer
from factory_classify.lexical_baselines import find_label_indices, render_row_texts
from factory_classify.logistic_head import choose_inverse_penalty, fit_logistic_head
from factory_classify.none_score import find_open_set
from factory_classify.sentence_head import HeadBatch, HeadExamples, SentenceHeadObjective
from factory_classify.task import get_none_label

if TYPE_CHECKING:
    from torch import Tensor, nn

    from factory.api import Kit


class ClassificationObjective(SentenceHeadObjective):
    """Cross-entropy over the labels of the training rows, by a linear head on normalised sentence embeddings.

    The head starts as the cross-validated logistic regression on the base's embeddings, so that training starts where
    the baseline `linear` ends. Left-out rows then select the weight interpolation (Wortsman et al. 2022) and a
    temperature (Guo et al. 2017), which is folded into the head. The untuned base, which has no head, answers by the
    cosine of a text and the label names. Loads as SentenceTransformer, whose embeddings are the logits.

    The label `task.none` is trained as one more class; its logit is then replaced by what left-out rows say of it
    and of a score of the other labels, for texts of kinds that no row is of.
    """

    kind = "classification"
    version = 3
    output_type = "labels"

    label_smoothing: Fraction = Field(0.0, description="share of the target probability spread evenly over all labels")
    class_weights: Literal["none", "balanced"] = Field("none", description="`balanced`: weights by inverse frequency")
    target_accuracy: Fraction = Field(
        0.95, description="accuracy above the abstention threshold: promised for new rows where the left-out rows "
        "allow it (95 % confidence), else as measured on them"
    )
    none_share: Annotated[float, UnkeyedDefault] = Field(
        0.0, ge=0, lt=1, description="share of texts to expect in use that are none of the labels (`task.none`); "
        "0 for the share of the training rows"
    )

    def fit(self, job: FitJob) -> TrainResult:
        import numpy as np

        labels = job.task.list_choices(job.rows)
        if len(labels) < 2:
            raise ValueError(f"a classifier needs at least 2 labels; the training rows have {len(labels)}")
        unseen = [row for row in job.validation if job.task.render_target(row) in labels]
        if unknown := len(job.validation) - len(unseen):
            subject = "1 validation row has a label" if unknown == 1 else f"{unknown} validation rows have labels"
            job.report.note(f"{subject} without training rows", warning=True)
        rows = [*job.rows, *unseen]
        right = find_label_indices(job.task, rows, labels)
        open_set = find_open_set(get_none_label(job.task), labels, right, self.none_share)
        examples = self.embed_rows(job, rows, np.array(right, dtype=np.int64))
        c, accuracies, _ = choose_inverse_penalty(examples.vectors, examples.targets)
        fitted = fit_and_hold_out(
            self, job, rows, examples, [(label,) for label in right],
            lambda part: fit_logistic_head(part.vectors, part.targets, c),
        )
        tuning = tune_after_training(job, fitted.heads, fitted.held_out, self.target_accuracy, open_set)
        below = tuning.get("abstain", {}).get("below")
        classifier_files.write_label_config(labels, job.out, below, tuning.get("none"))
        head = {"c": c, "cross_validated": round(max(accuracies.values(), default=0.0), 4)}
        facts = {**fitted.result.facts, "labels": len(labels), "start": head, **tuning}
        return replace(fitted.result, facts=facts)

    def build_loss(self, kit: Kit, examples: HeadExamples) -> Callable[[nn.Module, HeadBatch], Tensor]:
        import torch
        from torch.nn import functional

        right, weights = examples.targets.tolist(), None
        counts = Counter(right)
        if self.class_weights == "balanced":
            weights = torch.tensor([len(right) / (len(counts) * counts[label]) for label in range(len(counts))])

        def compute_loss(model: nn.Module, batch: HeadBatch) -> Tensor:
            logits = self.compute_batch_logits(kit, model, batch)
            return functional.cross_entropy(logits, batch.targets, weights, label_smoothing=self.label_smoothing)

        return compute_loss

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        if job.artifact is None:
            texts, labels = render_row_texts(job.task, job.rows), job.task.list_choices(job.rows)
            vectors = job.kit.embed(job.base, [*texts, *labels], report=job.report)
            probabilities = classify_zero_shot(vectors[: len(texts)], vectors[len(texts) :])
        else:
            folder = job.artifact.folder
            labels = classifier_files.read_bundle_labels(folder)
            if (below := classifier_files.read_abstention_threshold(folder)) is not None:
                job.facts["abstain_below"] = below
            probabilities = classifier_files.compute_label_probabilities(folder, self.compute_logits(job, folder))
        for row, each in zip(job.rows, probabilities.tolist(), strict=True):
            yield build_label_answer(row.id, labels, each)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        """Return the answers of plain sentence-transformers; without an artifact there is no head, and all labels are
        equal."""
        if job.artifact is None:
            labels = job.task.list_choices(job.rows)
            even = [1 / len(labels)] * len(labels)
            uniform = tuple(build_label_answer(row.id, labels, even) for row in job.rows)
            return ReferenceAnswers(uniform, 0, self.loader_class)
        folder = job.artifact.folder
        labels = classifier_files.read_bundle_labels(folder)
        logits, adapted = self.compute_plain_logits(job, folder)
        probabilities = classifier_files.compute_label_probabilities(folder, logits)
        answers = [
            build_label_answer(row.id, labels, each)
            for row, each in zip(job.rows, probabilities.tolist(), strict=True)
        ]
        return ReferenceAnswers(tuple(answers), adapted, self.loader_class)
