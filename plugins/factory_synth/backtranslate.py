"""Pairs for a voice from the voice alone: a teacher says plainly what a voiced text says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from factory.api import ChatRequest, ChatResponse, Row, RowsJob, normalise
from factory_synth.rewording_checks import MAX_LENGTH_RATIO, compute_trigram_similarity, describe_changed_facts
from factory_synth.synthesis_common import Tally, get_column_text, make_child_row, prepare_made_rows, sample_rows_by_id
from factory_synth.teacher_synthesizer import TeacherSynthesizer, ask_teacher, strip_chat_wrapping
from factory_synth.unlabelled import UnlabelledTexts, build_completed_row

SYSTEM = """\
You turn texts with a strong voice into plain ones. Say what the text says, in neutral, correct sentences: no \
greeting, no joke, no image, no slang, no exclamation mark. Keep every fact, name and number; add none.

Text: Kettle on, friend! Your lantern sets sail from Bergen on Friday and lands within 3 days. Mind the glass, says \
the crew.
Plain: The lantern is sent from Bergen on Friday and arrives within 3 days. Please be careful with the glass."""
PLAIN_ONLY_INSTRUCTION = "Reply with the plain text alone."
JSON_INSTRUCTION = "Reply with a JSON object: `{neutral}` is the plain text, `{asked}` the message of a customer whom it answers."
USER = "Text: {text}\nPlain:"
ANSWER_PREFIX = "Plain:"
MAX_SHORTENING = 5.0
"""How many times shorter the plain text may be: voices are fond of words."""


class BacktranslateStyle(TeacherSynthesizer):
    """Makes neutral ← voiced pairs: a teacher writes the plain text for a voiced one, and the voiced one is the target.

    The voiced texts are a file (posts, letters, old replies) or, without one, the training rows, which then get a
    second plain wording. Refused are plain texts that lose or add a number or a name, or stay with the voiced wording
    (after back-translation for style, arXiv:1804.09000).
    """

    kind = "backtranslate-style"
    prompts = (SYSTEM, PLAIN_ONLY_INSTRUCTION, JSON_INSTRUCTION, USER)

    voiced: str = Field("answer", min_length=1, description="column of the text in the voice")
    neutral: str = Field("neutral", min_length=1, description="column of the plain text, which the teacher writes")
    texts: UnlabelledTexts | None = Field(None, description="voiced texts; none for the training rows'")
    asked: str = Field("", description="column of the customer's message, for the teacher to invent too")
    count: int = Field(0, ge=0, description="texts that are made plain, drawn by seed; 0 for all")
    names: list[str] = Field([], description="words that belong to the voice, such as the brand's name: they may go")
    keep_names: bool = Field(True, description="words with a capital must stay; not for languages that write nouns so")
    temperature: float = Field(0.3, ge=0, le=2, description="of the teacher")
    most: float = Field(0.8, gt=0, le=1, description="likeness (Jaccard of trigrams) at which the voice is still there")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """What rows must have."""
        return () if self.texts else (self.voiced,)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        rows = sample_rows_by_id(list(self.texts.iter_file_rows(job, self._list_read_columns(job))) if self.texts else job.rows, self.count, self.seed)
        tally, made = Tally(), []
        for row, reply in ask_teacher(job, [(row, self._build_plain_request(row)) for row in rows], tally):
            written = reply.value.model_dump() if self.asked else {self.neutral: strip_chat_wrapping(reply.text, ANSWER_PREFIX)}
            if why := self._find_plain_fault(row[self.voiced], written[self.neutral]):
                tally.count_refusal(why, written[self.neutral])
                continue
            made.append(self._build_voiced_row(job, row, written, reply))
        tally.made_count = len({row.id for row in made})
        tally.report_tally(job.report, "plain texts", len(rows))
        yield from prepare_made_rows(job, made)

    def _list_read_columns(self, job: RowsJob) -> tuple[str, ...]:
        """The columns that the file gives, the voiced text first."""
        task = job.task.columns if job.task else ()
        return (self.voiced, *(name for name in task if name not in (self.voiced, self.neutral, self.asked)))

    def _build_plain_request(self, row: Row) -> ChatRequest:
        form = JSON_INSTRUCTION.replace("{neutral}", self.neutral).replace("{asked}", self.asked) if self.asked else PLAIN_ONLY_INSTRUCTION
        user = USER.replace("{text}", get_column_text(row, self.voiced))
        schema = self._build_plain_schema() if self.asked else None
        return self.build_teacher_request(f"{SYSTEM}\n\n{form}", user, schema=schema, temperature=self.temperature)

    def _build_plain_schema(self) -> type[BaseModel]:
        fields: Any = {name: (str, Field(min_length=1)) for name in (self.neutral, self.asked)}
        return create_model("Plain", __config__=ConfigDict(extra="forbid", str_strip_whitespace=True), **fields)

    def _find_plain_fault(self, voiced: str, plain: str) -> str:
        size = len(plain) / max(len(voiced), 1)
        if not normalise(plain):
            return "are empty"
        if compute_trigram_similarity(voiced, plain) >= self.most:
            return "keep the voice"
        return "are much longer or shorter" if not 1 / MAX_SHORTENING <= size <= MAX_LENGTH_RATIO else describe_changed_facts(
            voiced, plain, self.names, self.keep_names
        )

    def _build_voiced_row(self, job: RowsJob, row: Row, written: dict[str, str], reply: ChatResponse) -> Row:
        columns, detail = {**row.columns, **written}, self.build_provenance_detail(reply)
        return build_completed_row(self.kind, row, columns, detail) if self.texts else make_child_row(
            job, self.kind, columns, row, **detail
        )
