"""Training objective of classifiers with several labels a row: a sigmoid for each label, with thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from factory.api import Answer, Finding, FitJob, Fraction, ModelJob, Objective, ReferenceAnswers, Row, TrainResult
from factory.api.label_sets import LABEL_SETS, build_label_set_output
from factory.api.sentence_transformers_files import copy_sentence_transformers_files
from factory_classify import classifier_files
from factory_classify.classification_objective import HEAD_MODULE, build_torch_head, take_head_from_adapter
from factory_classify.label_thresholds import read_label_thresholds, write_threshold_config
from factory_classify.lexical_baselines import render_row_texts
from factory_classify.multi_label_task import build_membership
from factory_classify.multi_label_tuning import tune_label_sets
from factory_classify.one_vs_rest import choose_common_penalty, compute_sigmoid, fit_one_vs_rest
from factory_classify.sentence_embeddings import embed_tokenised_texts, find_truncated_texts, pool_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from factory.api import Encoder, Kit
    from factory_classify.label_answers import Numbers

MemberTokens = tuple[list[int], list[bool]]
"""The token ids of a text, and which labels it has."""


@dataclass(frozen=True, slots=True)
class LabelSetBatch:
    """Texts of a batch, and their labels as 0 or 1: (texts, labels)."""

    texts: Any
    members: Tensor


class MultiLabelObjective(Objective):
    """Binary cross-entropy over the labels of the training rows, by a linear head on normalised sentence embeddings.

    The head starts as the one-vs-rest logistic regression of the baseline `linear`. Validation rows then select the
    weight interpolation (Wortsman et al. 2022), a calibration (Platt 1999), which is folded into the head, and the
    threshold from which each label is given. The untuned base, which has no head, gives the one label whose name is
    nearest to the text. Loads as SentenceTransformer, whose embeddings are the logits.
    """

    kind = "multi-label"
    measures_validation = True
    columns = ("text", "label")
    output_type = LABEL_SETS
    modules_to_save = (classifier_files.HEAD_FOLDER,)
    loader_class = "sentence_transformers:SentenceTransformer"

    max_length: int = Field(128, ge=8, le=8192, description="longest text in tokens; the rest is truncated")
    pooling: Literal["mean", "first"] = Field(
        "mean", description="embedding of a text: the mean of all tokens, as in sentence encoders, or the first token"
    )
    interpolation: list[Fraction] = Field(
        [0.0, 0.3, 0.5, 0.7, 0.85, 1.0], min_length=1,
        description="WiSE-FT weights of the trained model to try; the best on validation rows is taken; 0 is the start",
    )

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        yield from find_truncated_texts(job, self.max_length)

    def fit(self, job: FitJob) -> TrainResult:
        kit, labels = job.kit, job.task.list_choices(job.rows)
        if not labels:
            raise ValueError("no training row has a label")
        plain, texts = kit.load_encoder(job.base), render_row_texts(job.task, job.rows)
        members, ids = build_membership(job.task, job.rows, labels), plain.tokenize_texts(texts, self.max_length)
        vectors = embed_tokenised_texts(plain, ids, self.pooling, job.report)
        c, scores = choose_common_penalty(vectors, members)
        start = fit_one_vs_rest(vectors, members, c)
        learner = kit.create_learner(job, modules_to_save=(HEAD_MODULE,))
        learner.model.add_module(HEAD_MODULE, build_torch_head(start))
        rows: list[MemberTokens] = list(zip(ids, members.tolist(), strict=True))
        known = build_membership(job.task, job.validation, labels)
        unseen_ids = plain.tokenize_texts(render_row_texts(job.task, job.validation), self.max_length)
        result = kit.fit(
            learner, rows, build_label_set_collator(kit), self._build_sigmoid_loss(kit), job,
            task_type="FEATURE_EXTRACTION", validation=list(zip(unseen_ids, known.tolist(), strict=True)),
        )
        trained = take_head_from_adapter(kit, job.out)
        if unseen := sorted({*job.task.list_choices(job.validation)} - {*labels}):
            job.report.note(f"validation rows have labels without training rows: {', '.join(unseen)}", warning=True)
        tuned = tune_label_sets(
            job, (start, trained), known,
            lambda encoder: self._embed_rows(encoder, job, job.validation), sorted(self.interpolation),
        )
        classifier_files.write_label_config(labels, job.out)
        write_threshold_config(job.out, tuned.thresholds)
        head = {"c": c, "cross_validated": round(max(scores.values(), default=0.0), 4)}
        return replace(result, facts={**result.facts, "labels": len(labels), "start": head, **tuned.facts})

    def _embed_rows(self, encoder: Encoder, job: FitJob | ModelJob, rows: Sequence[Row]) -> Any:
        """Return the embeddings of rows: (rows, width)."""
        ids = encoder.tokenize_texts(render_row_texts(job.task, rows), self.max_length)
        return embed_tokenised_texts(encoder, ids, self.pooling, job.report)

    def _build_sigmoid_loss(self, kit: Kit) -> Callable[[nn.Module, LabelSetBatch], Tensor]:
        from torch.nn import functional

        def compute_loss(model: Any, batch: LabelSetBatch) -> Tensor:
            embeddings = pool_tokens(kit.compute_hidden_states(model, batch.texts), self.pooling)
            head = model.get_submodule(HEAD_MODULE)
            logits = head(embeddings.to(head.weight.device)).to(embeddings.device)
            # Summed over labels: their number then changes neither a label's gradient nor the learning rate it needs.
            return functional.binary_cross_entropy_with_logits(logits, batch.members, reduction="sum") / len(logits)

        return compute_loss

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        if job.artifact is None:
            yield from _answer_by_label_names(job)
            return
        folder = job.artifact.folder
        vectors = self._embed_rows(job.kit.load_encoder(job.base, job.artifact), job, job.rows)
        yield from _build_set_answers(job, folder, classifier_files.read_head(folder).compute_logits(vectors))

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Write the module folders of sentence-transformers; the weights of the head are among the artifact's files."""
        from sentence_transformers import SentenceTransformer

        labels = len(classifier_files.read_bundle_labels(bundle))
        modules = classifier_files.build_sentence_modules(job.base.folder, self.max_length, self.pooling, labels)
        copy_sentence_transformers_files(SentenceTransformer(modules=modules, device="cpu"), bundle)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        """Return the answers of plain sentence-transformers; without an artifact there is no head, and each label has
        the probability of a half."""
        from sentence_transformers import SentenceTransformer

        if job.artifact is None:
            labels = job.task.list_choices(job.rows)
            halves = [0.5] * len(labels)
            even = tuple(Answer(row.id, build_label_set_output(labels, halves, halves)) for row in job.rows)
            return ReferenceAnswers(even, 0, self.loader_class)
        # As documented in the bundle's README.
        model = SentenceTransformer(str(job.artifact.folder), device="cpu")
        logits = model.encode(render_row_texts(job.task, job.rows)).astype("float64")
        answers = tuple(_build_set_answers(job, job.artifact.folder, logits))
        adapted = sum(1 for module in model.modules() if hasattr(module, "lora_A"))
        return ReferenceAnswers(answers, adapted, self.loader_class)


def _build_set_answers(job: ModelJob, folder: Path, logits: Numbers) -> Iterator[Answer]:
    """Yield the answer to each row, from logits (rows, labels) and the labels and thresholds in a folder."""
    labels, thresholds = classifier_files.read_bundle_labels(folder), read_label_thresholds(folder)
    for row, probabilities in zip(job.rows, compute_sigmoid(logits), strict=True):
        yield Answer(row.id, build_label_set_output(labels, probabilities, thresholds))


def _answer_by_label_names(job: ModelJob) -> Iterator[Answer]:
    """Yield the label whose name is nearest to the text, by the cosine of embeddings of the untuned base."""
    from factory_classify.embedding_baselines import classify_zero_shot

    labels, texts = job.task.list_choices(job.rows), render_row_texts(job.task, job.rows)
    if not labels:
        yield from (Answer(row.id, {}) for row in job.rows)
        return
    vectors = job.kit.embed(job.base, [*texts, *labels], report=job.report)
    shares = classify_zero_shot(vectors[: len(texts)], vectors[len(texts) :])
    for row, each in zip(job.rows, shares, strict=True):
        yield Answer(row.id, build_label_set_output(labels, each, [each.max()] * len(labels)))


def build_label_set_collator(kit: Kit) -> Callable[[list[MemberTokens]], LabelSetBatch]:
    """Return a collator of (token ids, which labels)."""

    def collate(rows: list[MemberTokens]) -> LabelSetBatch:
        import torch

        texts = kit.build_text_batch([ids for ids, _ in rows])
        return LabelSetBatch(texts, torch.tensor([members for _, members in rows], dtype=torch.float32))

    return collate
