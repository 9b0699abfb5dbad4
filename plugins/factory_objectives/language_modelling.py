"""Continued pre-training: cross-entropy of every token of documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import Artifact, CausalLMObjective, Decoder, Finding, FitJob, ModelJob, Row, TokenCounts, TrainResult
from factory.api.causal_lm.objective import TASK_TYPE, TokenizedCompletion, build_completion_collator
from factory_objectives.perplexity import MAX_MEASURED, compute_perplexity, read_general_texts, split_document

if TYPE_CHECKING:
    from torch import Tensor, nn

TEXT = "text"


class LanguageModelling(CausalLMObjective):
    """Continued pre-training on documents, the column `text` of its rows: domain adaptation.

    Usually the first step of several, with rows of its own. A document longer than `max_length` is cut into pieces; no
    piece sees another one, and its first token is not learnt. The perplexity of held-out documents, and of general
    text, is measured before and after. Loads as a PEFT adapter over a causal base.
    """

    kind = "language-modelling"
    columns = (TEXT,)
    uses_task_rows = False
    length_fields = ()

    max_length: int = Field(512, ge=32, le=131072, description="maximum tokens of a piece of a document")
    max_new_tokens: int = Field(128, ge=1, le=8192, description="maximum tokens of a generated answer")

    def compute_loss(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the mean cross-entropy of the batch's tokens, other than the first of each piece."""
        from torch.nn import functional

        return functional.cross_entropy(logits, tokens)

    def tokenize_documents(self, rows: Sequence[Row], decoder: Decoder) -> list[list[int]]:
        """Return the pieces of all documents as token ids; each document ends with the token that ends a text."""
        end, pieces = decoder.tokenizer.eos_token_id, list[list[int]]()
        for row in rows:
            pieces += split_document([*decoder.tokenizer(str(row[TEXT]))["input_ids"], end], self.max_length)
        return pieces

    def count_tokens(self, job: ModelJob) -> TokenCounts:
        """Count the tokens of each piece of a document."""
        pieces = self.tokenize_documents(job.rows, job.kit.load_decoder(job.base))
        share, lengths = len(pieces) / max(1, len(job.rows)), [len(piece) for piece in pieces]
        return TokenCounts({"max_length": lengths}, examples_per_row=share, completions=lengths)

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        for row in job.rows:
            if not str(row[TEXT]).strip():
                yield Finding("empty", row.id, "the text is empty")

    def audit_frozen(self, job: ModelJob) -> Iterator[Finding]:
        """Yield nothing: the frozen rows are no documents."""
        yield from ()

    def fit(self, job: FitJob) -> TrainResult:
        decoder = job.kit.load_decoder(job.base)
        # Rows of the task are no documents of their own: none of them is held out to be measured.
        held_out = [row for row in job.validation if TEXT in row.columns]
        pieces, unseen = (self.tokenize_documents(rows, decoder) for rows in (job.rows, held_out))
        before = self._measure(job, job.start, unseen)
        learner = job.kit.create_learner(job, causal=True)

        def compute_batch_loss(model: nn.Module, texts: object) -> Tensor:
            return self.compute_loss(*job.kit.compute_completion_logits(model, texts))

        # A piece is a completion of its own first token: packed rows keep texts apart, as padded ones do.
        examples, validation = ([TokenizedCompletion(piece, 1) for piece in each] for each in (pieces, unseen))
        result = job.kit.fit(
            learner, examples, build_completion_collator(job.kit), compute_batch_loss, job, task_type=TASK_TYPE,
            validation=validation,
        )
        after = self._measure(job, Artifact("adapter", job.out, job.base), unseen)
        for name, value in before.items():
            job.report.note(f"perplexity of {name}: {value:.2f} before, {after[name]:.2f} after")
        perplexity = {
            f"perplexity of {name} {when}": round(found[name], 4) for name in before
            for when, found in (("before", before), ("after", after))
        }
        return replace(result, facts={**result.facts, "documents": len(job.rows), **perplexity})

    def _measure(self, job: FitJob, artifact: Artifact | None, unseen: Sequence[Sequence[int]]) -> dict[str, float]:
        """Return the perplexity of held-out documents, if there are any, and of general text, by what was measured."""
        decoder = job.kit.load_decoder(job.base, artifact, exact=True)
        general = [decoder.tokenizer(text)["input_ids"] for text in read_general_texts()]
        pieces = {
            "held-out documents": unseen[:MAX_MEASURED],
            "general text": [piece for ids in general for piece in split_document(ids, self.max_length)],
        }
        return {name: compute_perplexity(decoder, own) for name, own in pieces.items() if own}
