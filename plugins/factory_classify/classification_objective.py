"""Training objective of classifiers: an encoder with a classification head and calibrated probabilities."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from factory.api import Answer, Finding, FitJob, Fraction, ModelJob, Objective, ReferenceAnswers, TrainResult
from factory_classify import head_init
from factory_classify.after_training import tune_after_training
from factory_classify.embedding_baselines import classify_zero_shot
from factory_classify.label_answers import build_label_answer, compute_softmax
from factory_classify.lexical_baselines import find_label_indices, render_row_texts

if TYPE_CHECKING:
    from torch import Tensor, nn

    from factory.api import Encoder, Kit

LABEL_CONFIG_PATH = "labels/config.json"
"""Model config with the labels, which PEFT's config has no field for. It has its own folder: with a config beside an
adapter, transformers would load the folder as a full model."""

LabelledTokens = tuple[list[int], int]


@dataclass(frozen=True, slots=True)
class ClassificationBatch:
    """Packed texts of a batch, and the indices of their labels."""

    texts: Any
    labels: Tensor


class ClassificationObjective(Objective):
    """Cross-entropy over the labels of the training rows, with a head initialised from their centroids.

    Validation rows then select the weight interpolation (Wortsman et al. 2022) and a temperature (Guo et al. 2017),
    which is folded into the head. The untuned base, which has no head, answers by the cosine of a text and the label
    names. Loads as transformers' AutoModelForSequenceClassification.
    """

    kind = "classification"
    version = 2
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
        description="WiSE-FT weights of the trained model to try; the best on validation rows is taken",
    )
    target_accuracy: Fraction = Field(
        0.95, description="accuracy above the abstention threshold: promised for new rows where the validation rows "
        "allow it (95 % confidence), else as measured on them"
    )

    @property
    def modules_to_save(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """Modules saved in full beside the adapter."""
        pooler = (head_init.POOLER_MODULE,) if self.pooling == "mean" else ()
        return (head_init.CLASSIFIER_MODULE, *pooler)

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        texts = render_row_texts(job.task, job.rows)
        for row, ids in zip(job.rows, job.kit.load_encoder(job.base).tokenize_texts(texts, 10**6), strict=True):
            if len(ids) > self.max_length:
                yield Finding("truncated", row.id, f"{len(ids)} tokens exceed max_length ({self.max_length})")

    def fit(self, job: FitJob) -> TrainResult:
        import torch

        kit, labels, heads = job.kit, job.task.list_choices(job.rows), self.modules_to_save
        if len(labels) < 2:
            raise ValueError(f"a classifier needs at least 2 labels; the training rows have {len(labels)}")
        plain = kit.load_encoder(job.base)
        ids = plain.tokenize_texts(render_row_texts(job.task, job.rows), self.max_length)
        right = find_label_indices(job.task, job.rows, labels)
        learner = kit.create_learner(job, modules_to_save=heads, labels=len(labels))
        headed = kit.load_encoder(job.base, labels=len(labels))
        head_init.initialise_head(
            learner.model, plain, headed, ids, torch.tensor(right), mean=self.pooling == "mean", report=job.report
        )
        start = head_init.copy_head_parameters(learner.model, heads)
        rows, loss = list(zip(ids, right, strict=True)), self._build_classification_loss(kit, right)
        result = kit.fit(
            learner, rows, build_classification_collator(kit), loss, job, modules_to_save=heads, task_type="SEQ_CLS"
        )
        texts, known = render_row_texts(job.task, job.validation), find_label_indices(job.task, job.validation, labels)
        tuning = tune_after_training(
            job, start, len(labels), known, lambda encoder: self._compute_text_logits(encoder, texts),
            sorted(self.interpolation), self.target_accuracy,
        )
        write_label_config(job.base.folder, labels, job.out, tuning.get("abstain", {}).get("below"))
        return replace(result, facts={**result.facts, "labels": len(labels), **tuning})

    def _build_classification_loss(
        self, kit: Kit, right: Sequence[int]
    ) -> Callable[[nn.Module, ClassificationBatch], Tensor]:
        import torch

        counts, weights = Counter(right), None
        if self.class_weights == "balanced":
            weights = torch.tensor([len(right) / (len(counts) * counts[label]) for label in range(len(counts))])

        def compute_loss(model: nn.Module, batch: ClassificationBatch) -> Tensor:
            logits, smoothing = kit.compute_head_logits(model, batch.texts), self.label_smoothing
            return torch.nn.functional.cross_entropy(logits, batch.labels, weights, label_smoothing=smoothing)

        return compute_loss

    def _compute_text_logits(self, encoder: Encoder, texts: Sequence[str], report: Any = None) -> Any:
        ids = encoder.tokenize_texts(texts, self.max_length)
        return encoder.compute_pair_logits([(text, [0] * len(text)) for text in ids], report).double().numpy()

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        texts = render_row_texts(job.task, job.rows)
        if job.artifact is None:
            labels = job.task.list_choices(job.rows)
            vectors = job.kit.embed(job.base, [*texts, *labels], report=job.report)
            answers = classify_zero_shot(vectors[: len(texts)], vectors[len(texts) :])
        else:
            labels = read_bundle_labels(job.artifact.folder)
            if (below := read_abstention_threshold(job.artifact.folder)) is not None:
                job.facts["abstain_below"] = below
            encoder = job.kit.load_encoder(job.base, job.artifact, labels=len(labels))
            answers = compute_softmax(self._compute_text_logits(encoder, texts, job.report))
        for row, probabilities in zip(job.rows, answers.tolist(), strict=True):
            yield build_label_answer(row.id, labels, probabilities)

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Do nothing: the labels are among the artifact's files, and the tokenizer is the base's."""

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        """Return the answers of plain transformers; without an artifact there is no head, and all labels are equal."""
        from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

        if job.artifact is None:
            labels = job.task.list_choices(job.rows)
            even = [1 / len(labels)] * len(labels)
            uniform = tuple(build_label_answer(row.id, labels, even) for row in job.rows)
            return ReferenceAnswers(uniform, 0, self.loader_class)
        # As documented in the bundle's README.
        config = AutoConfig.from_pretrained((job.artifact.folder / LABEL_CONFIG_PATH).parent)
        model = AutoModelForSequenceClassification.from_pretrained(job.artifact.folder, config=config).eval()
        tokenizer, answers = AutoTokenizer.from_pretrained(job.artifact.folder), []
        for row, text in zip(job.rows, render_row_texts(job.task, job.rows), strict=True):
            inputs = tokenizer(text, truncation=True, max_length=self.max_length, return_tensors="pt")
            probabilities = model(**inputs).logits[0].detach().softmax(-1).tolist()
            names = [model.config.id2label[index] for index in range(len(probabilities))]
            answers.append(build_label_answer(row.id, names, probabilities))
        adapted = sum(1 for module in model.modules() if hasattr(module, "lora_A"))
        return ReferenceAnswers(tuple(answers), adapted, self.loader_class)


def write_label_config(base: Path, labels: Sequence[str], folder: Path, abstain_below: float | None = None) -> None:
    """Write the base's config with these labels, in their order, and the confidence below which to abstain."""
    config: dict[str, Any] = json.loads((base / "config.json").read_text())
    config.pop("_name_or_path", None)
    config["id2label"] = {str(index): label for index, label in enumerate(labels)}
    config["label2id"] = {label: index for index, label in enumerate(labels)}
    config["problem_type"] = "single_label_classification"
    if abstain_below is not None:
        config["abstain_below"] = abstain_below
    (folder / LABEL_CONFIG_PATH).parent.mkdir(exist_ok=True)
    (folder / LABEL_CONFIG_PATH).write_text(json.dumps(config, sort_keys=True, indent=2, ensure_ascii=False) + "\n")


def read_bundle_labels(folder: Path) -> tuple[str, ...]:
    """Return the labels of an artifact or bundle, in the order of the head's outputs."""
    id2label: dict[str, str] = json.loads((folder / LABEL_CONFIG_PATH).read_text())["id2label"]
    return tuple(id2label[str(index)] for index in range(len(id2label)))


def read_abstention_threshold(folder: Path) -> float | None:
    """Return the confidence below which an artifact or bundle abstains; None if it has none."""
    below: float | None = json.loads((folder / LABEL_CONFIG_PATH).read_text()).get("abstain_below")
    return below


def build_classification_collator(kit: Kit) -> Callable[[list[LabelledTokens]], ClassificationBatch]:
    """Return a collator of (token ids, label index)."""

    def collate(rows: list[LabelledTokens]) -> ClassificationBatch:
        import torch

        texts = kit.build_text_batch([ids for ids, _ in rows])
        return ClassificationBatch(texts, torch.tensor([label for _, label in rows]))

    return collate
