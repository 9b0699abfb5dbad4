"""Pairs for a voice from the voice alone: a teacher says plainly what a voiced text says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from factory.api import ChatRequest, ChatResponse, Row, RowsJob, normalise
from factory_synth.asking import Asking, answered, said
from factory_synth.guards import LONGER, likeness, lost
from factory_synth.parts import Tally, child, drawn, finished, text_of
from factory_synth.unfinished import Unfinished, completed

SYSTEM = """\
You turn texts with a strong voice into plain ones. Say what the text says, in neutral, correct sentences: no \
greeting, no joke, no image, no slang, no exclamation mark. Keep every fact, name and number; add none.

Text: Kettle on, friend! Your lantern sets sail from Bergen on Friday and lands within 3 days. Mind the glass, says \
the crew.
Plain: The lantern is sent from Bergen on Friday and arrives within 3 days. Please be careful with the glass."""
ALONE = "Reply with the plain text alone."
BOTH = "Reply with a JSON object: `{neutral}` is the plain text, `{asked}` the message of a customer whom it answers."
USER = "Text: {text}\nPlain:"
LEAD = "Plain:"
SHORTEST = 5.0
"""How many times shorter the plain text may be: voices are fond of words."""


class BacktranslateStyle(Asking):
    """Makes neutral ← voiced pairs: a teacher writes the plain text for a voiced one, and the voiced one is the target.

    The voiced texts are a file (posts, letters, old replies) or, without one, the training rows, which then get a
    second plain wording. Refused are plain texts that lose or add a number or a name, or stay with the voiced wording
    (after back-translation for style, arXiv:1804.09000).
    """

    kind = "backtranslate-style"
    prompts = (SYSTEM, ALONE, BOTH, USER)

    voiced: str = Field("answer", min_length=1, description="column of the text in the voice")
    neutral: str = Field("neutral", min_length=1, description="column of the plain text, which the teacher writes")
    texts: Unfinished | None = Field(None, description="voiced texts; none for the training rows'")
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
        rows = drawn(list(self.texts.read(job, self._read(job))) if self.texts else job.rows, self.count, self.seed)
        tally, made = Tally(), []
        for row, reply in answered(job, [(row, self._ask(row)) for row in rows], tally):
            written = reply.value.model_dump() if self.asked else {self.neutral: said(reply.text, LEAD)}
            if why := self._fault(row[self.voiced], written[self.neutral]):
                tally.refuse(why, written[self.neutral])
                continue
            made.append(self._row(job, row, written, reply))
        tally.made = len({row.id for row in made})
        tally.tell(job.report, "plain texts", len(rows))
        yield from finished(job, made)

    def _read(self, job: RowsJob) -> tuple[str, ...]:
        """The columns that the file gives, the voiced text first."""
        task = job.task.columns if job.task else ()
        return (self.voiced, *(name for name in task if name not in (self.voiced, self.neutral, self.asked)))

    def _ask(self, row: Row) -> ChatRequest:
        form = BOTH.replace("{neutral}", self.neutral).replace("{asked}", self.asked) if self.asked else ALONE
        user = USER.replace("{text}", text_of(row, self.voiced))
        schema = self._schema() if self.asked else None
        return self.request(f"{SYSTEM}\n\n{form}", user, schema=schema, temperature=self.temperature)

    def _schema(self) -> type[BaseModel]:
        fields: Any = {name: (str, Field(min_length=1)) for name in (self.neutral, self.asked)}
        return create_model("Plain", __config__=ConfigDict(extra="forbid", str_strip_whitespace=True), **fields)

    def _fault(self, voiced: str, plain: str) -> str:
        size = len(plain) / max(len(voiced), 1)
        if not normalise(plain):
            return "are empty"
        if likeness(voiced, plain) >= self.most:
            return "keep the voice"
        return "are much longer or shorter" if not 1 / SHORTEST <= size <= LONGER else lost(
            voiced, plain, self.names, self.keep_names
        )

    def _row(self, job: RowsJob, row: Row, written: dict[str, str], reply: ChatResponse) -> Row:
        columns, detail = {**row.columns, **written}, self.detail(reply)
        return completed(self.kind, row, columns, detail) if self.texts else child(
            job, self.kind, columns, row, **detail
        )
