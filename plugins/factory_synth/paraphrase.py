"""Paraphrase training rows: a teacher rewords the text, the answer stays."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from pydantic import Field

from factory.api import ChatRequest, ChatResponse, Row, RowsJob, normalise
from factory_synth.rewording_checks import (
    MAX_LENGTH_RATIO,
    compute_pair_cosines,
    compute_trigram_similarity,
    describe_changed_facts,
)
from factory_synth.synthesis_common import Tally, get_column_text, make_child_row, prepare_made_rows, sample_rows_by_id
from factory_synth.teacher_synthesizer import TeacherSynthesizer, ask_teacher, strip_chat_wrapping

SYSTEM = """\
You reword texts. Keep the meaning, the language, and every name and number as it is written. Add nothing, answer \
nothing, explain nothing. Reply with the reworded text alone.

Text: Where is the nearest branch of Halden Bank that opens before 9?
How: in a casual tone
Reworded: Is there a Halden Bank branch close by that's open before 9?"""
USER = "Text: {text}\nHow: {how}\nReworded:"
ANSWER_PREFIX = "Reworded:"
MANNERS = ("in other words", "in a casual tone", "shorter", "more politely", "with the words in another order")


class Paraphrase(TeacherSynthesizer):
    """Adds paraphrases of training rows; every other column stays as it is.

    Rejected are rewordings that repeat the text, lose or add a number or name, are much longer or shorter, or drift
    from the text by their trigrams or, with `min_cosine`, by their embeddings.
    """

    kind = "paraphrase"
    prompts = (SYSTEM, USER, *MANNERS)

    column: str = Field("", description="column to reword; empty for the task's text column")
    copies: int = Field(1, ge=1, le=20, description="paraphrases per row, each in another style")
    count: int = Field(0, ge=0, description="rows to paraphrase, sampled by seed; 0 for all")
    temperature: float = Field(0.8, ge=0, le=2, description="sampling temperature of the teacher")
    keep_names: bool = Field(True, description="require capitalised words to stay; off for languages such as German")
    max_jaccard: float = Field(0.85, gt=0, le=1, description="trigram Jaccard with the text from which it is a copy")
    min_jaccard: float = Field(0.1, ge=0, lt=1, description="trigram Jaccard below which a paraphrase has drifted")
    min_cosine: float = Field(0.0, ge=0, lt=1, description="cosine below which it has drifted; 0 uses no embedder")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (self.column,) if self.column else ()

    def get_required_models(self) -> tuple[str, ...]:
        return ("teacher", "embedder") if self.min_cosine else ("teacher",)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        column, tally = self.column or (job.task.text_column if job.task else ""), Tally()
        parents = sample_rows_by_id(job.rows, self.count, self.seed)
        requests = [
            (row, self._build_rewording_request(row, column, copy)) for row in parents for copy in range(self.copies)
        ]
        rewordings = list(self._iter_sound_rewordings(ask_teacher(job, requests, tally), column, tally))
        cosines = [1.0] * len(rewordings)
        if self.min_cosine:
            cosines = compute_pair_cosines(job, [(row[column], text) for row, text, _ in rewordings])
        generated = []
        for (row, text, detail), cosine in zip(rewordings, cosines, strict=True):
            if cosine < self.min_cosine:
                tally.count_refusal(f"drifts from the text: cosine below {self.min_cosine:g}", text)
            else:
                generated.append(make_child_row(job, self.kind, {**row.columns, column: text}, row, **detail))
        what = f"paraphrases of {len(parents)} row{'s' * (len(parents) != 1)}"
        tally.report_tally(job.report, what, len({row.id for row in generated}), len(requests))
        yield from prepare_made_rows(job, generated)

    def _build_rewording_request(self, row: Row, column: str, copy: int) -> ChatRequest:
        text = get_column_text(row, column)
        # Seeded by the text, so that a row keeps its requests whatever other rows there are.
        manners = Random(f"{self.seed} {text}").sample(MANNERS, len(MANNERS))
        user = USER.replace("{how}", manners[copy % len(manners)]).replace("{text}", text)
        return self.build_teacher_request(SYSTEM, user, copy, temperature=self.temperature)

    def _iter_sound_rewordings(
        self, replies: Iterator[tuple[Row, ChatResponse]], column: str, tally: Tally
    ) -> Iterator[tuple[Row, str, dict[str, Any]]]:
        """Yield (row, paraphrase, provenance detail) for accepted paraphrases, each text once per row."""
        seen: set[tuple[str, str]] = set()
        for row, reply in replies:
            text = strip_chat_wrapping(reply.text, ANSWER_PREFIX)
            reason = self._find_rewording_fault(row[column], text)
            if not reason and (row.id, normalise(text)) in seen:
                reason = "repeats another paraphrase"
            if reason:
                tally.count_refusal(reason, text)
            else:
                seen.add((row.id, normalise(text)))
                yield row, text, self.build_provenance_detail(reply)

    def _find_rewording_fault(self, text: str, new: str) -> str:
        similarity = compute_trigram_similarity(text, new)
        if not normalise(new):
            return "is empty"
        if new.count("\n") > text.count("\n"):
            return "has more lines than the text"
        if similarity >= self.max_jaccard:
            return "repeats the text"
        if not 1 / MAX_LENGTH_RATIO <= len(new) / max(len(text), 1) <= MAX_LENGTH_RATIO:
            return "is much longer or shorter"
        if similarity < self.min_jaccard:
            return "drifts from the text"
        return describe_changed_facts(text, new, check_names=self.keep_names)
