"""Training objective of classifiers: sentence embeddings, a linear head on them, and calibrated probabilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from factory.api import Answer, Finding, FitJob, Fraction, ModelJob, Objective, ReferenceAnswers, TrainResult
from factory.api.sentence_transformers_files import copy_sentence_transformers_files
from factory.api.spec_block import UnkeyedDefault
from factory_classify import classifier_files
from factory_classify.after_training import tune_after_training
from factory_classify.embedding_baselines import classify_zero_shot
from factory_classify.label_answers import build_label_answer
from factory_classify.lexical_baselines import find_label_indices, render_row_texts
from factory_classify.logistic_head import LogisticHead, choose_inverse_penalty, fit_logistic_head
from factory_classify.none_score import find_open_set
from factory_classify.sentence_embeddings import embed_tokenised_texts, find_truncated_texts, pool_tokens
from factory_classify.task import get_none_label

if TYPE_CHECKING:
    from torch import Tensor, nn

    from factory.api import Encoder, Kit
    from factory_classify.logistic_head import Vectors

HEAD_MODULE = "classifier"

LabelledTokens = tuple[list[int], int]


@dataclass(frozen=True, slots=True)
class ClassificationBatch:
    """Texts of a batch, and the indices of their labels."""

    texts: Any
    labels: Tensor


class ClassificationObjective(Objective):
    """Cross-entropy over the labels of the training rows, by a linear head on normalised sentence embeddings.

    The head starts as the cross-validated logistic regression on the base's embeddings, so that training starts where
    the baseline `linear` ends. Validation rows then select the weight interpolation (Wortsman et al. 2022) and a
    temperature (Guo et al. 2017), which is folded into the head. The untuned base, which has no head, answers by the
    cosine of a text and the label names. Loads as SentenceTransformer, whose embeddings are the logits.

    The label `task.none` is trained as one more class; its logit is then replaced by what validation rows say of it
    and of a score of the other labels, for texts of kinds that no row is of.
    """

    kind = "classification"
    version = 2
    columns = ("text", "label")
    output_type = "labels"
    modules_to_save = (classifier_files.HEAD_FOLDER,)
    measures_validation = True
    loader_class = "sentence_transformers:SentenceTransformer"

    max_length: int = Field(128, ge=8, le=8192, description="longest text in tokens; the rest is truncated")
    pooling: Literal["mean", "first"] = Field(
        "mean", description="embedding of a text: the mean of all tokens, as in sentence encoders, or the first token"
    )
    label_smoothing: Fraction = Field(0.0, description="share of the target probability spread evenly over all labels")
    class_weights: Literal["none", "balanced"] = Field("none", description="`balanced`: weights by inverse frequency")
    interpolation: list[Fraction] = Field(
        [0.0, 0.3, 0.5, 0.7, 0.85, 1.0], min_length=1,
        description="WiSE-FT weights of the trained model to try; the best on validation rows is taken; 0 is the start",
    )
    target_accuracy: Fraction = Field(
        0.95, description="accuracy above the abstention threshold: promised for new rows where the validation rows "
        "allow it (95 % confidence), else as measured on them"
    )
    none_share: Annotated[float, UnkeyedDefault] = Field(
        0.0, ge=0, lt=1, description="share of texts to expect in use that are none of the labels (`task.none`); "
        "0 for the share of the training rows"
    )

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        yield from find_truncated_texts(job, self.max_length)

    def fit(self, job: FitJob) -> TrainResult:
        import numpy as np

        kit, labels = job.kit, job.task.list_choices(job.rows)
        if len(labels) < 2:
            raise ValueError(f"a classifier needs at least 2 labels; the training rows have {len(labels)}")
        plain, texts = kit.load_encoder(job.base), render_row_texts(job.task, job.rows)
        right = find_label_indices(job.task, job.rows, labels)
        open_set = find_open_set(get_none_label(job.task), labels, right, self.none_share)
        ids = plain.tokenize_texts(texts, self.max_length)
        vectors, owners = self._embed(plain, ids, job.report), np.array(right)
        c, accuracies = choose_inverse_penalty(vectors, owners)
        start = fit_logistic_head(vectors, owners, c)
        learner = kit.create_learner(job, modules_to_save=(HEAD_MODULE,))
        learner.model.add_module(HEAD_MODULE, build_torch_head(start))
        rows, loss = list(zip(ids, right, strict=True)), self._build_classification_loss(kit, right)
        known = find_label_indices(job.task, job.validation, labels)
        unseen = plain.tokenize_texts(render_row_texts(job.task, job.validation), self.max_length)
        result = kit.fit(
            learner, rows, build_classification_collator(kit), loss, job, task_type="FEATURE_EXTRACTION",
            validation=[(ids, label) for ids, label in zip(unseen, known, strict=True) if label >= 0],
        )
        trained = take_head_from_adapter(kit, job.out)
        tuning = tune_after_training(
            job, (start, trained), known, lambda encoder: self._embed(encoder, unseen), sorted(self.interpolation),
            self.target_accuracy, open_set,
        )
        below = tuning.get("abstain", {}).get("below")
        classifier_files.write_label_config(labels, job.out, below, tuning.get("none"))
        head = {"c": c, "cross_validated": round(max(accuracies.values(), default=0.0), 4)}
        return replace(result, facts={**result.facts, "labels": len(labels), "start": head, **tuning})

    def _embed(self, encoder: Encoder, ids: Sequence[list[int]], report: Any = None) -> Vectors:
        """Return the normalised embeddings of tokenised texts: (texts, width)."""
        return embed_tokenised_texts(encoder, ids, self.pooling, report)

    def _pool_tokens(self, tokens: Sequence[Tensor]) -> Tensor:
        """Return the normalised embeddings of texts from their token vectors: (texts, width)."""
        return pool_tokens(tokens, self.pooling)

    def _build_classification_loss(
        self, kit: Kit, right: Sequence[int]
    ) -> Callable[[nn.Module, ClassificationBatch], Tensor]:
        import torch
        from torch.nn import functional

        counts, weights = Counter(right), None
        if self.class_weights == "balanced":
            weights = torch.tensor([len(right) / (len(counts) * counts[label]) for label in range(len(counts))])

        def compute_loss(model: Any, batch: ClassificationBatch) -> Tensor:
            embeddings = self._pool_tokens(kit.compute_hidden_states(model, batch.texts))
            head = model.get_submodule(HEAD_MODULE)
            logits = head(embeddings.to(head.weight.device)).to(embeddings.device)
            return functional.cross_entropy(logits, batch.labels, weights, label_smoothing=self.label_smoothing)

        return compute_loss

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        texts = render_row_texts(job.task, job.rows)
        if job.artifact is None:
            labels = job.task.list_choices(job.rows)
            vectors = job.kit.embed(job.base, [*texts, *labels], report=job.report)
            answers = classify_zero_shot(vectors[: len(texts)], vectors[len(texts) :])
        else:
            labels = classifier_files.read_bundle_labels(job.artifact.folder)
            if (below := classifier_files.read_abstention_threshold(job.artifact.folder)) is not None:
                job.facts["abstain_below"] = below
            encoder = job.kit.load_encoder(job.base, job.artifact)
            vectors = self._embed(encoder, encoder.tokenize_texts(texts, self.max_length), job.report)
            logits = classifier_files.read_head(job.artifact.folder).compute_logits(vectors)
            answers = classifier_files.compute_label_probabilities(job.artifact.folder, logits)
        for row, probabilities in zip(job.rows, answers.tolist(), strict=True):
            yield build_label_answer(row.id, labels, probabilities)

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Write the module folders of sentence-transformers; the weights of the head are among the artifact's files."""
        from sentence_transformers import SentenceTransformer

        labels = len(classifier_files.read_bundle_labels(bundle))
        modules = classifier_files.build_sentence_modules(job.base.folder, self.max_length, self.pooling, labels)
        copy_sentence_transformers_files(SentenceTransformer(modules=modules, device="cpu"), bundle)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        """Return the answers of plain sentence-transformers; without an artifact there is no head, and all labels are
        equal."""
        from sentence_transformers import SentenceTransformer

        if job.artifact is None:
            labels = job.task.list_choices(job.rows)
            even = [1 / len(labels)] * len(labels)
            uniform = tuple(build_label_answer(row.id, labels, even) for row in job.rows)
            return ReferenceAnswers(uniform, 0, self.loader_class)
        # As documented in the bundle's README.
        model, labels = SentenceTransformer(str(job.artifact.folder), device="cpu"), (
            classifier_files.read_bundle_labels(job.artifact.folder)
        )
        logits = model.encode(render_row_texts(job.task, job.rows)).astype("float64")
        probabilities = classifier_files.compute_label_probabilities(job.artifact.folder, logits)
        answers = [
            build_label_answer(row.id, labels, each)
            for row, each in zip(job.rows, probabilities.tolist(), strict=True)
        ]
        adapted = sum(1 for module in model.modules() if hasattr(module, "lora_A"))
        return ReferenceAnswers(tuple(answers), adapted, self.loader_class)


def build_torch_head(head: LogisticHead) -> nn.Module:
    """Return a trainable linear layer with the weights of a regression."""
    import torch

    linear = torch.nn.Linear(head.weight.shape[1], head.weight.shape[0])
    linear.weight.data.copy_(torch.from_numpy(head.weight))
    linear.bias.data.copy_(torch.from_numpy(head.bias))
    return linear


def take_head_from_adapter(kit: Kit, folder: Path) -> LogisticHead:
    """Move the trained head out of the adapter, where PEFT would look for a layer of the base; return it."""
    tensors = kit.load_adapter_tensors(folder)
    own = {name: tensors.pop(name) for name in list(tensors) if f".{HEAD_MODULE}." in name}
    kit.save_adapter_tensors(folder, tensors)
    weight, bias = (next(value for name, value in own.items() if name.endswith(part)) for part in ("weight", "bias"))
    return LogisticHead(weight.double().numpy(), bias.double().numpy())


def build_classification_collator(kit: Kit) -> Callable[[list[LabelledTokens]], ClassificationBatch]:
    """Return a collator of (token ids, label index)."""

    def collate(rows: list[LabelledTokens]) -> ClassificationBatch:
        import torch

        texts = kit.build_text_batch([ids for ids, _ in rows])
        return ClassificationBatch(texts, torch.tensor([label for _, label in rows]))

    return collate
