"""Base class of objectives with a linear head on normalised sentence embeddings: what does not depend on the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field

from factory.api import (
    Auto,
    Finding,
    FitJob,
    Fraction,
    ModelJob,
    Objective,
    Plugin,
    Row,
    Task,
    TokenCounts,
    TrainResult,
    get_number,
)
from factory.api.artifact import count_adapted_modules
from factory.api.sentence_transformers_files import copy_sentence_transformers_files
from factory_classify import classifier_files
from factory_classify.cross_validation import ChooseOn
from factory_classify.lexical_baselines import render_row_texts
from factory_classify.logistic_head import LogisticHead

if TYPE_CHECKING:
    from torch import Tensor, nn

    from factory.api import Encoder, Kit
    from factory_classify.label_answers import Indices, Numbers
    from factory_classify.logistic_head import Vectors

HEAD_MODULE = "classifier"
UNCHOSEN_LENGTH, UNLIMITED = 128, 10**6
"""Tokens where no stage chose `max_length`, and more than any text has."""
ENCODED_TEXTS = 1024
"""Texts whose token vectors are held at a time."""

HeadExample = tuple[list[int], Any]
"""The token ids of a text, and its target: the index of its label, or for each label whether it has it."""


class Heads(NamedTuple):
    """The head before and after training."""

    start: LogisticHead
    trained: LogisticHead


@dataclass(frozen=True, slots=True)
class HeadExamples:
    """Texts with a target: token ids, embeddings by the base (texts, width), targets (texts,) or (texts, labels)."""

    ids: Sequence[list[int]]
    vectors: Vectors
    targets: Any

    def take(self, positions: Indices) -> HeadExamples:
        """Return the texts at these positions."""
        return HeadExamples([self.ids[each] for each in positions], self.vectors[positions], self.targets[positions])

    def list_pairs(self) -> list[HeadExample]:
        """Return the texts as the training takes them."""
        return list(zip(self.ids, self.targets.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class HeadBatch:
    """Texts of a batch, and their targets: (texts,) or (texts, labels)."""

    texts: Any
    targets: Tensor


class SentenceHeadObjective(Objective):
    """An objective with a linear head on normalised sentence embeddings, which starts as a regression on those of the
    base. Loads as SentenceTransformer, whose embeddings are the logits."""

    columns = ("text", "label")
    modules_to_save = (classifier_files.HEAD_FOLDER,)
    measures_validation = True
    loader_class = "sentence_transformers:SentenceTransformer"
    length_fields = ("max_length",)

    max_length: Annotated[int, Field(ge=8, le=8192)] | Auto = Field(
        "auto", description="longest text in tokens, the rest is cut off; auto for all of it, as far as the base reads"
    )
    pooling: Literal["mean", "first"] = Field(
        "mean", description="embedding of a text: the mean of all tokens, as in sentence encoders, or the first token"
    )
    interpolation: list[Fraction] = Field(
        [0.0, 0.3, 0.5, 0.7, 0.85, 1.0], min_length=1,
        description="WiSE-FT weights of the trained model to try (0 is the start): the largest one is taken that is as "
        "good on left-out rows as the best",
    )
    choose_on: ChooseOn = Field(
        "auto", description="rows on which interpolation, calibration and thresholds are chosen: the validation rows, "
        "which are then not trained on; or a part of all rows, or each of 5 parts (folds), left out of a training that "
        "precedes the one of all; auto: folds below 500 rows, else part (with `keep: best`, the validation rows)",
    )

    @classmethod
    def get_variant(cls, fields: Mapping[str, Any]) -> type[Plugin]:
        """Return a class that measures no loss on validation rows where they are trained on."""
        return _build_class_of_all_rows(cls) if fields.get("choose_on") in ("part", "folds") else cls

    def get_max_length(self) -> int:
        """Return the longest text in tokens."""
        return get_number(self.max_length, UNCHOSEN_LENGTH)

    def count_tokens(self, job: ModelJob) -> TokenCounts:
        texts = render_row_texts(job.task, job.rows)
        ids = job.kit.load_encoder(job.base).tokenize_texts(texts, UNLIMITED)
        return TokenCounts({"max_length": [len(tokens) for tokens in ids]})

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        for row, tokens in zip(job.rows, self.count_tokens(job).fields["max_length"], strict=True):
            if tokens > (limit := self.get_max_length()):
                yield Finding("truncated", row.id, f"{tokens} tokens exceed max_length ({limit})")

    def tokenize_rows(self, encoder: Encoder, task: Task, rows: Sequence[Row]) -> list[list[int]]:
        """Return the token ids of the text of each row, truncated to `max_length`."""
        return encoder.tokenize_texts(render_row_texts(task, rows), self.get_max_length())

    def embed_rows(self, job: FitJob, rows: Sequence[Row], targets: Any) -> HeadExamples:
        """Return rows with their targets as examples to train on."""
        encoder = job.kit.load_encoder(job.base)
        ids = self.tokenize_rows(encoder, job.task, rows)
        return HeadExamples(ids, self.embed_tokens(encoder, ids, job.report), targets)

    def embed_tokens(self, encoder: Encoder, ids: Sequence[list[int]], report: Any = None) -> Vectors:
        """Return the normalised embeddings of tokenised texts: (texts, width)."""
        import numpy as np

        blocks = []
        for first in range(0, len(ids), ENCODED_TEXTS):
            tokens = encoder.compute_token_vectors(ids[first : first + ENCODED_TEXTS])
            blocks.append(self._pool_tokens(tokens).numpy())
            if report is not None:
                report.report_progress(min(first + ENCODED_TEXTS, len(ids)), len(ids), "texts")
        return np.concatenate(blocks) if blocks else np.zeros((0, 1), dtype=np.float32)

    def _pool_tokens(self, tokens: Sequence[Tensor]) -> Tensor:
        """Return the normalised embeddings of texts from their token vectors: (texts, width)."""
        import torch

        pooled = torch.stack([text.mean(0) if self.pooling == "mean" else text[0] for text in tokens])
        return torch.nn.functional.normalize(pooled, dim=-1)

    def compute_batch_logits(self, kit: Kit, model: Any, batch: HeadBatch) -> Tensor:
        """Return the logits of a batch in training: (texts, labels), with gradients."""
        embeddings = self._pool_tokens(kit.compute_hidden_states(model, batch.texts))
        head = model.get_submodule(HEAD_MODULE)
        logits: Tensor = head(embeddings.to(head.weight.device)).to(embeddings.device)
        return logits

    def list_shares(self) -> list[float]:
        """Return the interpolation weights to try, in order."""
        return sorted(self.interpolation)

    def resolve_choose_on(self, *, keeps_best: bool) -> ChooseOn:
        """Return `choose_on`; `keep: best` holds the validation rows out in any case."""
        return "validation" if keeps_best else self.choose_on

    def build_loss(self, kit: Kit, examples: HeadExamples) -> Callable[[nn.Module, HeadBatch], Tensor]:
        """Return the loss of a batch by the model, for a training on these examples."""
        raise NotImplementedError

    def train_with_head(
        self, job: FitJob, start: LogisticHead, examples: HeadExamples, unseen: Sequence[HeadExample]
    ) -> tuple[TrainResult, Heads]:
        """Train an adapter, saved to `job.out`, and the head from where it starts.

        `unseen` are the examples of validation rows, for `keep: best`.
        """
        learner = job.kit.create_learner(job, modules_to_save=(HEAD_MODULE,))
        learner.model.add_module(HEAD_MODULE, _build_torch_head(start))
        result = job.kit.fit(
            learner, examples.list_pairs(), _build_head_collator(job.kit), self.build_loss(job.kit, examples), job,
            task_type="FEATURE_EXTRACTION", validation=unseen,
        )
        return result, Heads(start, _take_head_from_adapter(job.kit, job.out))

    def compute_logits(self, job: ModelJob, folder: Path) -> Numbers:
        """Return the logits of the job's rows by its artifact in `folder`: (rows, labels)."""
        encoder = job.kit.load_encoder(job.base, job.artifact)
        vectors = self.embed_tokens(encoder, self.tokenize_rows(encoder, job.task, job.rows), job.report)
        return classifier_files.read_head(folder).compute_logits(vectors)

    def compute_plain_logits(self, job: ModelJob, folder: Path) -> tuple[Numbers, int]:
        """Return the logits of the job's rows by plain sentence-transformers, as documented in the bundle's README, and
        the number of layers with an adapter."""
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder), device="cpu")
        logits = model.encode(render_row_texts(job.task, job.rows)).astype("float64")
        return logits, count_adapted_modules(model)

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        """Write the module folders of sentence-transformers; the weights of the head are among the artifact's files."""
        from sentence_transformers import SentenceTransformer

        labels = len(classifier_files.read_bundle_labels(bundle))
        modules = classifier_files.build_sentence_modules(job.base.folder, self.get_max_length(), self.pooling, labels)
        copy_sentence_transformers_files(SentenceTransformer(modules=modules, device="cpu"), bundle)


@cache
def _build_class_of_all_rows(kind: type[SentenceHeadObjective]) -> type[SentenceHeadObjective]:
    """Return the class without validation rows; the same one each time, so that equal blocks are equal."""
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "measures_validation": False})


def _build_torch_head(head: LogisticHead) -> nn.Module:
    """Return a trainable linear layer with the weights of a regression."""
    import torch

    linear = torch.nn.Linear(head.weight.shape[1], head.weight.shape[0])
    linear.weight.data.copy_(torch.from_numpy(head.weight))
    linear.bias.data.copy_(torch.from_numpy(head.bias))
    return linear


def _take_head_from_adapter(kit: Kit, folder: Path) -> LogisticHead:
    """Move the trained head out of the artifact, where a library would look for a layer of the base; return it."""
    tensors = kit.load_adapter_tensors(folder)
    own = {name: tensors.pop(name) for name in list(tensors) if f".{HEAD_MODULE}." in f".{name}"}
    kit.save_adapter_tensors(folder, tensors)
    weight, bias = (next(value for name, value in own.items() if name.endswith(part)) for part in ("weight", "bias"))
    return LogisticHead(weight.double().numpy(), bias.double().numpy())


def _build_head_collator(kit: Kit) -> Callable[[list[HeadExample]], HeadBatch]:
    def collate(examples: list[HeadExample]) -> HeadBatch:
        import torch

        texts = kit.build_text_batch([ids for ids, _ in examples])
        return HeadBatch(texts, torch.tensor([target for _, target in examples]))

    return collate
