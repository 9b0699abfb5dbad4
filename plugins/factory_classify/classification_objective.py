"""An encoder with a head: a text is read once, and every label gets a calibrated probability."""

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
    """The texts of a batch, packed by the kit, and the places of their labels."""

    packed: Any
    labels: Tensor


class ClassificationObjective(Objective):
    """Cross-entropy over the labels of the training rows, by a head that starts from their centroids.

    Validation rows then choose how much of the training is kept (Wortsman et al. 2022), and a temperature (Guo et al.
    2017), which is folded into the head. Untuned, which has no head, the
    base answers by the cosine of a text and the names of the labels that the rows have. Loads as transformers'
    AutoModelForSequenceClassification.
    """

    kind = "classification"
    columns = ("text", "label")
    output_type = "labels"
    loader_class = "transformers:AutoModelForSequenceClassification"

    max_length: int = Field(128, ge=8, le=8192, description="tokens of a text that are read")
    pooling: Literal["mean", "first"] = Field(
        "mean", description="the head reads the mean of all tokens, as sentence encoders are trained; or first, what "
        "the base has there, adapted like any layer"
    )
    label_smoothing: Fraction = Field(0.0, description="share of each label's weight that goes to all labels alike")
    class_weights: Literal["none", "balanced"] = Field("none", description="balanced: rare labels weigh more")
    kept: list[Fraction] = Field(
        [0.4, 0.5, 0.6, 0.7, 0.85, 1.0], min_length=1, description="shares of the training to try; validation picks"
    )
    wanted: Fraction = Field(0.95, description="accuracy on validation rows at which the threshold to abstain is set")

    @property
    def modules_to_save(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """The modules that are saved whole."""
        return (
            head_init.CLASSIFIER_MODULE, head_init.POOLER_MODULE
        ) if self.pooling == "mean" else (head_init.CLASSIFIER_MODULE,)

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        texts = render_row_texts(job.task, job.rows)
        for row, ids in zip(job.rows, job.kit.load_encoder(job.base).tokenize_texts(texts, 10**6), strict=True):
            if len(ids) > self.max_length:
                yield Finding("truncated", row.id, f"it has {len(ids)} tokens, {self.max_length} are read")

    def fit(self, job: FitJob) -> TrainResult:
        import torch

        kit, labels = job.kit, job.task.list_choices(job.rows)
        if len(labels) < 2:
            raise ValueError(f"the training rows have {len(labels)} label; a classifier needs two")
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
        found = tune_after_training(
            job, start, len(labels), known, lambda encoder: self._compute_text_logits(encoder, texts),
            sorted(self.kept), self.wanted
        )
        write_label_config(job.base.folder, labels, job.out, found.get("abstain", {}).get("below"))
        return replace(result, facts={**result.facts, "labels": len(labels), **found})

    def _build_classification_loss(self, kit: Kit, right: Sequence[int]) -> Callable[
        [nn.Module, ClassificationBatch], Tensor
    ]:
        import torch

        counts, weights = Counter(right), None
        if self.class_weights == "balanced":
            weights = torch.tensor([len(right) / (len(counts) * counts[place]) for place in range(len(counts))])

        def value(model: nn.Module, batch: ClassificationBatch) -> Tensor:
            return torch.nn.functional.cross_entropy(
                kit.compute_head_logits(model, batch.packed), batch.labels, weights,
                label_smoothing=self.label_smoothing
            )

        return value

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
        yield from (build_label_answer(row.id, labels, each) for row, each in zip(job.rows, answers, strict=True))

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        if job.adapter is None:
            raise ValueError("a bundle without an adapter has no labels")
        (bundle / LABEL_CONFIG_PATH).parent.mkdir()
        shutil.copyfile(job.adapter / LABEL_CONFIG_PATH, bundle / LABEL_CONFIG_PATH)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        """The base by itself has no head in the plain library: it gives every label of the rows the same."""
        texts, answers = render_row_texts(job.task, job.rows), []
        if job.adapter is None:
            labels = job.task.list_choices(job.rows)
            even = [1 / len(labels)] * len(labels)
            return ReferenceAnswers(
                tuple(build_label_answer(row.id, labels, even) for row in job.rows), 0, self.loader_class
            )
        model, tokenizer = load_classifier(job.adapter)
        for row, text in zip(job.rows, texts, strict=True):
            asked = tokenizer(text, truncation=True, max_length=self.max_length, return_tensors="pt")
            shares = model(**asked).logits[0].detach().softmax(-1).tolist()
            answers.append(
                build_label_answer(row.id, [model.config.id2label[place] for place in range(len(shares))], shares)
            )
        adapted = sum(1 for module in model.modules() if hasattr(module, "lora_A"))
        return ReferenceAnswers(tuple(answers), adapted, self.loader_class)


def build_classification_collator(kit: Kit) -> Callable[[list[LabelledTokens]], ClassificationBatch]:
    """A collator over tokenised texts with the places of their labels."""

    def batch(rows: list[LabelledTokens]) -> ClassificationBatch:
        import torch

        return ClassificationBatch(kit.pack_batch([ids for ids, _ in rows]), torch.tensor([label for _, label in rows]))

    return batch
