"""Queries for passages: a teacher asks what a passage answers, and the answer must stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.api import ChatRequest, ChatResponse, Row, RowsJob, normalise
from factory_synth.novelty import NoveltyFilter
from factory_synth.synthesis_common import Tally, get_column_text, make_child_row, prepare_made_rows, sample_rows_by_id
from factory_synth.teacher_synthesizer import TeacherSynthesizer, ask_teacher
from factory_synth.text_features import has_phrase

SYSTEM = """\
You write questions that the passage answers, as somebody would put them who has not seen it and looks for the answer. \
A question names what it is about; it never speaks of "the passage", "the text" or "the author". The answer is copied \
from the passage word for word and is as short as it can be; it does not stand in the question. Ask about different \
things. {style}

Passage: The Halden ferry sails hourly from 6 to 22. Bicycles are free; dogs need a ticket for 4 euros.
Reply: {"questions": [{"question": "How much is a ticket for a dog on the Halden ferry?", "answer": "4 euros"}]}"""
USER = "Passage: {passage}\nWrite {count}. Reply with a JSON object as above."
PASSAGE_REFERENCE = re.compile(
    r"\b(?:the|this|that|above|given) (?:passage|text|article|paragraph|document|excerpt|author)\b", re.IGNORECASE
)
WORD_PATTERN = re.compile(r"[^\W_]+")


class PassageQuestion(BaseModel):
    """A question and the words of the passage that answer it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)


class PassageQuestions(BaseModel):
    """What the teacher writes for one passage."""

    model_config = ConfigDict(extra="forbid")

    questions: list[PassageQuestion] = Field(min_length=1)


class QuestionsFromDocuments(TeacherSynthesizer):
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
    def _validate_output_columns(self) -> QuestionsFromDocuments:
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
        tally, passages = Tally(), self._select_passages(job)
        asks = [(row, self._build_question_request(row)) for row in passages]
        found = [
            (row, one, span, reply)
            for row, reply in ask_teacher(job, asks, tally)
            for one, span in self._iter_sound_questions(get_column_text(row, self.passage), reply, tally)
        ]
        existing = [str(row[self.question]) for row in job.rows if self.question in row.columns]
        made = []
        reasons = NoveltyFilter(job, existing, self.near).find_refusal_reasons([one.question for _, one, _, _ in found])
        for (row, one, span, reply), why in zip(found, reasons, strict=True):
            if why:
                tally.count_refusal(why, one.question)
            else:
                made.append(self._build_passage_question_row(job, row, one.question, span, reply))
        tally.made_count = len(made)
        tally.report_tally(job.report, f"questions to {len(passages)} passages")
        yield from prepare_made_rows(job, made)

    def _select_passages(self, job: RowsJob) -> list[Row]:
        if self.table and self.table not in job.tables:
            raise ValueError(f"there is no table {self.table!r}; there are {', '.join(sorted(job.tables)) or 'none'}")
        rows: Sequence[Row] = list(job.tables[self.table].values()) if self.table else job.rows
        return sample_rows_by_id([row for row in rows if len(get_column_text(row, self.passage)) >= self.least], self.count, self.seed)

    def _build_question_request(self, row: Row) -> ChatRequest:
        user = USER.replace("{count}", f"up to {self.each} questions" if self.each > 1 else "1 question")
        return self.build_teacher_request(
            SYSTEM.replace("{style}", self.style), user.replace("{passage}", get_column_text(row, self.passage)),
            schema=PassageQuestions, temperature=self.temperature,
        )

    def _iter_sound_questions(self, passage: str, reply: ChatResponse, tally: Tally) -> Iterator[tuple[PassageQuestion, str]]:
        """The questions that may stand, with the passage's own words that answer them."""
        for one in reply.value.questions[: self.each]:
            found = find_answer_span(one.answer, passage)
            if not found:
                tally.count_refusal("have an answer that is not in the passage", one.answer)
            elif PASSAGE_REFERENCE.search(one.question):
                tally.count_refusal("speak of the passage", one.question)
            elif has_phrase(one.question, found):
                tally.count_refusal("hold their own answer", one.question)
            elif normalise(one.question) in normalise(passage):
                tally.count_refusal("are copied from the passage", one.question)
            else:
                yield one, found

    def _build_passage_question_row(self, job: RowsJob, row: Row, question: str, answer: str, reply: ChatResponse) -> Row:
        columns: dict[str, object] = {self.question: question}
        if self.relevant:
            columns[self.relevant] = {row.id: 1}
        if self.answer:
            columns[self.answer] = answer
        if self.evidence:
            columns[self.evidence] = get_column_text(row, self.passage)
        return make_child_row(job, self.kind, columns, row, **self.build_provenance_detail(reply, answer=answer))


def find_answer_span(answer: str, passage: str) -> str:
    """The words of an answer as they stand in a passage, whatever the case and punctuation between; else nothing."""
    words = WORD_PATTERN.findall(answer)
    pattern = r"[\W_]+".join(re.escape(word) for word in words)
    found = re.search(rf"(?<![^\W_]){pattern}(?![^\W_])", passage, re.IGNORECASE) if words else None
    return found.group() if found else ""
