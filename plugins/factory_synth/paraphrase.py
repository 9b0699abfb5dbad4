"""The same in other words: training rows whose text a teacher rewords, and whose answer stays."""

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
    """Adds rows that say what a training row says in other words; every other column stays as it is.

    Refused are rewordings that repeat the text, lose or add a number or a name, are much longer or shorter, or are
    too far from the text: by their letters or, with `cosine`, by the embedder.
    """

    kind = "paraphrase"
    prompts = (SYSTEM, USER, *MANNERS)

    column: str = Field("", description="column that is reworded; empty for the task's text")
    copies: int = Field(1, ge=1, le=20, description="rewordings of each row, each in another manner")
    count: int = Field(0, ge=0, description="rows that are reworded, drawn by seed; 0 for all")
    temperature: float = Field(0.8, ge=0, le=2, description="of the teacher")
    keep_names: bool = Field(True, description="words with a capital must stay; not for languages that write nouns so")
    most: float = Field(0.85, gt=0, le=1, description="likeness to the text (Jaccard of trigrams) that is a copy")
    least: float = Field(0.1, ge=0, lt=1, description="likeness under which a rewording has drifted")
    cosine: float = Field(0.0, ge=0, lt=1, description="cosine under which it has drifted; 0 for no embedder")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """What rows must have."""
        return (self.column,) if self.column else ()

    def get_required_models(self) -> tuple[str, ...]:
        return ("teacher", "embedder") if self.cosine else ("teacher",)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        column, tally = self.column or (job.task.text_column if job.task else ""), Tally()
        parents = sample_rows_by_id(job.rows, self.count, self.seed)
        asks = [(row, self._build_rewording_request(row, column, copy)) for row in parents for copy in range(self.copies)]
        found = list(self._iter_sound_rewordings(ask_teacher(job, asks, tally), column, tally))
        near = compute_pair_cosines(job, [(row[column], text) for row, text, _ in found]) if self.cosine else [1.0] * len(found)
        made = []
        for (row, text, detail), cosine in zip(found, near, strict=True):
            if cosine < self.cosine:
                tally.count_refusal(f"drift: their cosine is under {self.cosine:g}", text)
            else:
                made.append(make_child_row(job, self.kind, {**row.columns, column: text}, row, **detail))
        tally.made_count = len({row.id for row in made})
        tally.report_tally(job.report, f"rewordings of {len(parents)} rows", len(asks))
        yield from prepare_made_rows(job, made)

    def _build_rewording_request(self, row: Row, column: str, copy: int) -> ChatRequest:
        text = get_column_text(row, column)
        hows = Random(f"{self.seed} {text}").sample(MANNERS, len(MANNERS))
        user = USER.replace("{how}", hows[copy % len(hows)]).replace("{text}", text)
        return self.build_teacher_request(SYSTEM, user, copy, temperature=self.temperature)

    def _iter_sound_rewordings(
        self, replies: Iterator[tuple[Row, ChatResponse]], column: str, tally: Tally
    ) -> Iterator[tuple[Row, str, dict[str, Any]]]:
        """The rewordings that may stand: row, text, and what made it. Each text once for a row."""
        seen: set[tuple[str, str]] = set()
        for row, reply in replies:
            text = strip_chat_wrapping(reply.text, ANSWER_PREFIX)
            why = self._find_rewording_fault(row[column], text)
            if not why and (row.id, normalise(text)) in seen:
                why = "repeat another rewording"
            if why:
                tally.count_refusal(why, text)
                continue
            seen.add((row.id, normalise(text)))
            yield row, text, self.build_provenance_detail(reply)

    def _find_rewording_fault(self, text: str, new: str) -> str:
        near = compute_trigram_similarity(text, new)
        size = len(new) / max(len(text), 1)
        if not normalise(new):
            return "are empty"
        if new.count("\n") > text.count("\n"):
            return "are more than the text"
        if near >= self.most:
            return "repeat the text"
        if not 1 / MAX_LENGTH_RATIO <= size <= MAX_LENGTH_RATIO:
            return "are much longer or shorter"
        return "drift from the text" if near < self.least else describe_changed_facts(text, new, named=self.keep_names)
