"""Training objective of classifiers: an encoder with a classification head and calibrated probabilities."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from factory.api import (
    Answer,
    Encoder,
    Finding,
    FitJob,
    Fraction,
    Kit,
    ModelJob,
    Objective,
    ReferenceAnswers,
    TrainResult,
)
from factory_classify import head_init
from factory_classify.after_training import tune_after_training
from factory_classify.embedding_baselines import classify_zero_shot
from factory_classify.label_answers import build_label_answer, compute_softmax
from factory_classify.label_config import LABEL_CONFIG_PATH, load_classifier, read_bundle_labels, write_label_config
from factory_classify.lexical_baselines import find_label_indices, render_row_texts

if TYPE_CHECKING:
    from torch import Tensor, nn

LabelledTokens = tuple[list[int], int]


@dataclass(frozen=True, slots=True)
class ClassificationBatch:
    """Packed texts of a batch, and the indices of their labels."""

    packed: Any
    labels: Tensor


class ClassificationObjective(Objective):
    """Cross-entropy over the labels of the training rows, with a head initialised from their centroids.

    Validation rows then select the weight interpolation (Wortsman et al. 2022) and a temperature (Guo et al. 2017),
    which is folded into the head. The untuned base, which has no head, answers by the cosine of a text and the label
    names. Loads as transformers' AutoModelForSequenceClassification.
    """

    kind = "classification"
    columns = ("text", "label")
    output_type = "labels"
    loader_class = "transformers:AutoModelForSequenceClassification"

    max_length: int = Field(128, ge=8, le=8192, description="longest text in tokens; the rest is truncated")
    pooling: Literal["mean", "first"] = Field(
        "mean", description="input of the head: the mean of all tokens, as in sentence encoders, or the first token"
    )
    label_smoothing: Fraction = Field(0.0, description="share of the target probability spread evenly over all labels")
    class_weights: Literal["none", "balanced"] = Field("none", description="`balanced`: weights by inverse frequency")
    interpolation: list[Fraction] = Field(
        [0.4, 0.5, 0.6, 0.7, 0.85, 1.0], min_length=1,
        description="WiSE-FT weights to try, 1 for the trained model alone; selected on validation rows",
    )
    target_accuracy: Fraction = Field(0.95, description="validation accuracy that sets the abstention threshold")

    @property
    def modules_to_save(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """Modules saved in full beside the adapter."""
        return (
            head_init.CLASSIFIER_MODULE, head_init.POOLER_MODULE
        ) if self.pooling == "mean" else (head_init.CLASSIFIER_MODULE,)

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        texts = render_row_texts(job.task, job.rows)
        for row, ids in zip(job.rows, job.kit.load_encoder(job.base).tokenize_texts(texts, 10**6), strict=True):
            if len(ids) > self.max_length:
                yield Finding("truncated", row.id, f"{len(ids)} tokens exceed max_length ({self.max_length})")

    def fit(self, job: FitJob) -> TrainResult:
        import torch

        kit, labels = job.kit, job.task.list_choices(job.rows)
        if len(labels) < 2:
            raise ValueError(f"the training rows have {len(labels)} distinct labels; a classifier needs at least 2")
        plain = kit.load_encoder(job.base)
        ids = plain.tokenize_texts(render_row_texts(job.task, job.rows), self.max_length)
        right = find_label_indices(job.task, job.rows, labels)
        learner = kit.create_learner(job, modules_to_save=self.modules_to_save, labels=len(labels))
        headed = kit.load_encoder(job.base, labels=len(labels))
        mean = self.pooling == "mean"
        head_init.initialise_head(learner.model, plain, headed, ids, torch.tensor(right), mean=mean, report=job.report)
        start = head_init.copy_head_parameters(learner.model, self.modules_to_save)
        result = kit.fit(
            learner, list(zip(ids, right, strict=True)), build_classification_collator(kit),
            self._build_classification_loss(kit, right), job, modules_to_save=self.modules_to_save,
            task_type="SEQ_CLS",
        )
        texts, known = render_row_texts(job.task, job.validation), find_label_indices(job.task, job.validation, labels)
        tuning = tune_after_training(
            job, start, len(labels), known, lambda encoder: self._compute_text_logits(encoder, texts),
            sorted(self.interpolation), self.target_accuracy
        )
        write_label_config(job.base.folder, labels, job.out, tuning.get("abstain", {}).get("below"))
        return replace(result, facts={**result.facts, "labels": len(labels), **tuning})

    def _build_classification_loss(self, kit: Kit, right: Sequence[int]) -> Callable[
        [nn.Module, ClassificationBatch], Tensor
    ]:
        import torch

        counts, weights = Counter(right), None
        if self.class_weights == "balanced":
            weights = torch.tensor([len(right) / (len(counts) * counts[place]) for place in range(len(counts))])

        def compute_loss(model: nn.Module, batch: ClassificationBatch) -> Tensor:
            return torch.nn.functional.cross_entropy(
                kit.compute_head_logits(model, batch.packed), batch.labels, weights,
                label_smoothing=self.label_smoothing
            )

        return compute_loss

    def _compute_text_logits(self, encoder: Encoder, texts: Sequence[str], report: Any = None) -> Any:
        ids = encoder.tokenize_texts(texts, self.max_length)
        return encoder.compute_pair_logits([(text, [0] * len(text)) for text in ids], report).double().numpy()

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        texts = render_row_texts(job.task, job.rows)
        if job.adapter is None:
            labels = job.task.list_choices(job.rows)
            vectors = job.kit.embed(job.base, [*texts, *labels], report=job.report)
            answers = classify_zero_shot(vectors[: len(texts)], vectors[len(texts) :])
        else:
            labels = read_bundle_labels(job.adapter)
            encoder = job.kit.load_encoder(job.base, job.adapter, labels=len(labels))
            answers = compute_softmax(self._compute_text_logits(encoder, texts, job.report)).tolist()
        for row, probabilities in zip(job.rows, answers, strict=True):
            yield build_label_answer(row.id, labels, probabilities)

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        if job.adapter is None:
            raise ValueError("a bundle of a classifier needs an adapter")
        (bundle / LABEL_CONFIG_PATH).parent.mkdir()
        shutil.copyfile(job.adapter / LABEL_CONFIG_PATH, bundle / LABEL_CONFIG_PATH)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        """Return the answers of plain transformers; without an adapter there is no head, and all labels are equal."""
        texts, answers = render_row_texts(job.task, job.rows), []
        if job.adapter is None:
            labels = job.task.list_choices(job.rows)
            even = [1 / len(labels)] * len(labels)
            return ReferenceAnswers(
                tuple(build_label_answer(row.id, labels, even) for row in job.rows), 0, self.loader_class
            )
        model, tokenizer = load_classifier(job.adapter)
        for row, text in zip(job.rows, texts, strict=True):
            inputs = tokenizer(text, truncation=True, max_length=self.max_length, return_tensors="pt")
            probabilities = model(**inputs).logits[0].detach().softmax(-1).tolist()
            names = [model.config.id2label[index] for index in range(len(probabilities))]
            answers.append(build_label_answer(row.id, names, probabilities))
        adapted = sum(1 for module in model.modules() if hasattr(module, "lora_A"))
        return ReferenceAnswers(tuple(answers), adapted, self.loader_class)


def build_classification_collator(kit: Kit) -> Callable[[list[LabelledTokens]], ClassificationBatch]:
    """Return a collator of (token ids, label index)."""

    def collate(rows: list[LabelledTokens]) -> ClassificationBatch:
        import torch

        return ClassificationBatch(kit.pack_batch([ids for ids, _ in rows]), torch.tensor([label for _, label in rows]))

    return collate
