"""Queries for passages: a teacher asks what a passage answers, and the answer must stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.api import ChatRequest, ChatResponse, Row, RowsJob, normalise
from factory_synth.asking import Asking, answered
from factory_synth.novelty import Novelty
from factory_synth.parts import Tally, child, drawn, finished, text_of
from factory_synth.texts import holds

SYSTEM = """\
You write questions that the passage answers, as somebody would put them who has not seen it and looks for the answer. \
A question names what it is about; it never speaks of "the passage", "the text" or "the author". The answer is copied \
from the passage word for word and is as short as it can be; it does not stand in the question. Ask about different \
things. {style}

Passage: The Halden ferry sails hourly from 6 to 22. Bicycles are free; dogs need a ticket for 4 euros.
Reply: {"questions": [{"question": "How much is a ticket for a dog on the Halden ferry?", "answer": "4 euros"}]}"""
USER = "Passage: {passage}\nWrite {count}. Reply with a JSON object as above."
POINTING = re.compile(
    r"\b(?:the|this|that|above|given) (?:passage|text|article|paragraph|document|excerpt|author)\b", re.IGNORECASE
)
WORDS = re.compile(r"[^\W_]+")


class Question(BaseModel):
    """A question and the words of the passage that answer it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)


class Questions(BaseModel):
    """What the teacher writes for one passage."""

    model_config = ConfigDict(extra="forbid")

    questions: list[Question] = Field(min_length=1)


class QuestionsFromDocuments(Asking):
    """Writes questions to passages; each comes with the passage's own words that answer it, or it is refused.

    The rows point to their passage (`relevant`, as rerankers and embedding models want them: InPars,
    arXiv:2202.05144) or hold the answer, and the passage if wanted: by which of the columns have a name.
    """

    kind = "questions-from-documents"
    prompts = (SYSTEM, USER)

    table: str = Field("documents", description="side table of the passages; empty for the training rows themselves")
    passage: str = Field("text", min_length=1, description="column of the passage there")
    question: str = Field("query", min_length=1, description="column of the question in the rows that are made")
    relevant: str = Field("relevant", description="column that points to the passage, as {id: 1}; empty for none")
    answer: str = Field("", description="column of the answer; empty for none")
    evidence: str = Field("", description="column of the passage in the rows that are made; empty for none")
    count: int = Field(0, ge=0, description="passages that are asked about, drawn by seed; 0 for all")
    each: int = Field(2, ge=1, le=10, description="questions for one passage, at most")
    style: str = Field("", description="how questions are put, such as `Use key words, not sentences.`")
    least: int = Field(40, ge=0, description="characters under which a passage is not asked about")
    near: float = Field(0.8, gt=0, le=1, description="likeness (Jaccard of 5-grams) at which a question is not new")
    temperature: float = Field(0.7, ge=0, le=2, description="of the teacher")

    @model_validator(mode="after")
    def _points_somewhere(self) -> QuestionsFromDocuments:
        if not self.relevant and not self.answer:
            raise ValueError("name a column for `relevant` or for `answer`: a question alone teaches nothing")
        if self.relevant and not self.table:
            raise ValueError("`relevant` points into a side table; name the `table`, or leave `relevant` empty")
        return self

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """What rows must have."""
        return () if self.table else (self.passage,)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        tally, passages = Tally(), self._passages(job)
        asks = [(row, self._ask(row)) for row in passages]
        found = [
            (row, one, span, reply)
            for row, reply in answered(job, asks, tally)
            for one, span in self._sound(text_of(row, self.passage), reply, tally)
        ]
        existing = [str(row[self.question]) for row in job.rows if self.question in row.columns]
        made = []
        reasons = Novelty(job, existing, self.near).sift([one.question for _, one, _, _ in found])
        for (row, one, span, reply), why in zip(found, reasons, strict=True):
            if why:
                tally.refuse(why, one.question)
            else:
                made.append(self._row(job, row, one.question, span, reply))
        tally.made = len(made)
        tally.tell(job.report, f"questions to {len(passages)} passages")
        yield from finished(job, made)

    def _passages(self, job: RowsJob) -> list[Row]:
        if self.table and self.table not in job.tables:
            raise ValueError(f"there is no table {self.table!r}; there are {', '.join(sorted(job.tables)) or 'none'}")
        rows: Sequence[Row] = list(job.tables[self.table].values()) if self.table else job.rows
        return drawn([row for row in rows if len(text_of(row, self.passage)) >= self.least], self.count, self.seed)

    def _ask(self, row: Row) -> ChatRequest:
        user = USER.replace("{count}", f"up to {self.each} questions" if self.each > 1 else "1 question")
        return self.request(
            SYSTEM.replace("{style}", self.style), user.replace("{passage}", text_of(row, self.passage)),
            schema=Questions, temperature=self.temperature,
        )

    def _sound(self, passage: str, reply: ChatResponse, tally: Tally) -> Iterator[tuple[Question, str]]:
        """The questions that may stand, with the passage's own words that answer them."""
        for one in reply.value.questions[: self.each]:
            found = span(one.answer, passage)
            if not found:
                tally.refuse("have an answer that is not in the passage", one.answer)
            elif POINTING.search(one.question):
                tally.refuse("speak of the passage", one.question)
            elif holds(one.question, found):
                tally.refuse("hold their own answer", one.question)
            elif normalise(one.question) in normalise(passage):
                tally.refuse("are copied from the passage", one.question)
            else:
                yield one, found

    def _row(self, job: RowsJob, row: Row, question: str, answer: str, reply: ChatResponse) -> Row:
        columns: dict[str, object] = {self.question: question}
        if self.relevant:
            columns[self.relevant] = {row.id: 1}
        if self.answer:
            columns[self.answer] = answer
        if self.evidence:
            columns[self.evidence] = text_of(row, self.passage)
        return child(job, self.kind, columns, row, **self.detail(reply, answer=answer))


def span(answer: str, passage: str) -> str:
    """The words of an answer as they stand in a passage, whatever the case and punctuation between; else nothing."""
    words = WORDS.findall(answer)
    pattern = r"[\W_]+".join(re.escape(word) for word in words)
    found = re.search(rf"(?<![^\W_]){pattern}(?![^\W_])", passage, re.IGNORECASE) if words else None
    return found.group() if found else ""
