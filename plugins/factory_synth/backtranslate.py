"""Build neutral → voiced pairs from voiced texts alone: a teacher writes the neutral side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ConfigDict, Field, create_model

from factory.api import ChatRequest, Row, RowsJob, normalise
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
JSON_INSTRUCTION = (
    "Reply with a JSON object: `{neutral}` is the plain text, `{asked}` the message of a customer whom it answers."
)
USER = "Text: {text}\nPlain:"
ANSWER_PREFIX = "Plain:"
MAX_SHORTENING = 5.0
"""How many times shorter than the voiced text the plain one may be; voiced texts tend to be wordy."""


class BacktranslateStyle(TeacherSynthesizer):
    """Back-translates style: a teacher writes the neutral text for a voiced one, which is the target.

    The voiced texts come from a file (posts, letters, old replies) or from the training rows, which then get a second
    neutral wording. Neutral texts that lose or add a number or name, or that keep the voiced wording, are rejected
    (after back-translation for style, arXiv:1804.09000).
    """

    kind = "backtranslate-style"
    prompts = (SYSTEM, PLAIN_ONLY_INSTRUCTION, JSON_INSTRUCTION, USER)

    voiced: str = Field("answer", min_length=1, description="column of the voiced text")
    neutral: str = Field("neutral", min_length=1, description="column of the neutral text, written by the teacher")
    texts: UnlabelledTexts | None = Field(None, description="file of voiced texts; by default those of training rows")
    message: str = Field("", description="column of a customer message that the teacher also invents; empty for none")
    count: int = Field(0, ge=0, description="texts to back-translate, sampled by seed; 0 for all")
    voice_names: list[str] = Field([], description="names that belong to the voice, such as the brand; may be dropped")
    keep_names: bool = Field(True, description="require capitalised words to stay; off for languages such as German")
    temperature: float = Field(0.3, ge=0, le=2, description="sampling temperature of the teacher")
    max_jaccard: float = Field(0.8, gt=0, le=1, description="trigram Jaccard with the voiced text that is too close")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return () if self.texts else (self.voiced,)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        texts: Sequence[Row] = job.rows
        if self.texts:
            known = (self.voiced, self.neutral, self.message)
            others = [name for name in (job.task.columns if job.task else ()) if name not in known]
            # The voiced text comes first: the lines of a .txt file are in the first column.
            texts = list(self.texts.iter_file_rows(job, (self.voiced, *others)))
        rows = sample_rows_by_id(texts, self.count, self.seed)
        tally, generated = Tally(), []
        for row, reply in ask_teacher(job, [(row, self._build_plain_request(row)) for row in rows], tally):
            plain = strip_chat_wrapping(reply.text, ANSWER_PREFIX)
            written = reply.value.model_dump() if self.message else {self.neutral: plain}
            if reason := self._find_plain_fault(row[self.voiced], written[self.neutral]):
                tally.count_refusal(reason, written[self.neutral])
                continue
            columns, detail = {**row.columns, **written}, self.build_provenance_detail(reply)
            if self.texts:
                generated.append(build_completed_row(self.kind, row, columns, detail))
            else:
                generated.append(make_child_row(job, self.kind, columns, row, **detail))
        tally.report_tally(job.report, "plain texts", len({row.id for row in generated}), len(rows))
        yield from prepare_made_rows(job, generated)

    def _build_plain_request(self, row: Row) -> ChatRequest:
        form, schema = PLAIN_ONLY_INSTRUCTION, None
        if self.message:
            form = JSON_INSTRUCTION.replace("{neutral}", self.neutral).replace("{asked}", self.message)
            fields: Any = {name: (str, Field(min_length=1)) for name in (self.neutral, self.message)}
            config = ConfigDict(extra="forbid", str_strip_whitespace=True)
            schema = create_model("Plain", __config__=config, **fields)
        user = USER.replace("{text}", get_column_text(row, self.voiced))
        return self.build_teacher_request(f"{SYSTEM}\n\n{form}", user, schema=schema, temperature=self.temperature)

    def _find_plain_fault(self, voiced: str, plain: str) -> str:
        """Return why a neutral text is rejected, or an empty string."""
        length_ratio = len(plain) / max(len(voiced), 1)
        if not normalise(plain):
            return "is empty"
        if compute_trigram_similarity(voiced, plain) >= self.max_jaccard:
            return "keeps the voice"
        if not 1 / MAX_SHORTENING <= length_ratio <= MAX_LENGTH_RATIO:
            return "is much longer or shorter"
        return describe_changed_facts(voiced, plain, self.voice_names, self.keep_names)
