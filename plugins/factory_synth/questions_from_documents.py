"""Generate questions for passages; the answer must be a span of the passage."""

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


# The class names and docstrings are part of the JSON schema in the prompt, and so of its cache key.
class Question(BaseModel):
    """A question and the words of the passage that answer it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)


class Questions(BaseModel):
    """What the teacher writes for one passage."""

    model_config = ConfigDict(extra="forbid")

    questions: list[Question] = Field(min_length=1)


class QuestionsFromDocuments(TeacherSynthesizer):
    """Writes questions for passages; each must come with an answer copied from the passage, or it is rejected.

    The rows point to their passage (`relevant`, for rerankers and embedding models; InPars, arXiv:2202.05144) or hold
    the answer and optionally the passage, depending on which of the columns have a name.
    """

    kind = "questions-from-documents"
    prompts = (SYSTEM, USER)

    table: str = Field("documents", description="side table of the passages; empty to use the training rows")
    passage: str = Field("text", min_length=1, description="column of the passage")
    question: str = Field("query", min_length=1, description="column of the question in new rows")
    relevant: str = Field("relevant", description="column that points to the passage as {id: 1}; empty for none")
    answer: str = Field("", description="column of the answer; empty for none")
    evidence: str = Field("", description="column of the passage in new rows; empty for none")
    count: int = Field(0, ge=0, description="passages to use, sampled by seed; 0 for all")
    per_passage: int = Field(2, ge=1, le=10, description="maximum number of questions per passage")
    style: str = Field("", description="style instruction, such as `Use key words, not sentences.`")
    min_chars: int = Field(40, ge=0, description="minimum length of a passage, in characters")
    max_jaccard: float = Field(0.8, gt=0, le=1, description="5-gram Jaccard from which a question is not new")
    temperature: float = Field(0.7, ge=0, le=2, description="sampling temperature of the teacher")

    @model_validator(mode="after")
    def _validate_output_columns(self) -> QuestionsFromDocuments:
        if not self.relevant and not self.answer:
            raise ValueError("set `relevant` or `answer`: a question alone is no training row")
        if self.relevant and not self.table:
            raise ValueError("`relevant` points into a side table; set `table`, or leave `relevant` empty")
        return self

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return () if self.table else (self.passage,)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        tally, passages = Tally(), self._select_passages(job)
        requests = [(row, self._build_question_request(row)) for row in passages]
        candidates = [
            (row, question, span, reply)
            for row, reply in ask_teacher(job, requests, tally)
            for question, span in self._iter_sound_questions(get_column_text(row, self.passage), reply, tally)
        ]
        existing = [str(row[self.question]) for row in job.rows if self.question in row.columns]
        novelty = NoveltyFilter(job, existing, self.max_jaccard)
        reasons = novelty.find_refusal_reasons([question for _, question, _, _ in candidates])
        generated = []
        for (row, question, span, reply), reason in zip(candidates, reasons, strict=True):
            if reason:
                tally.count_refusal(reason, question)
            else:
                generated.append(self._build_passage_question_row(job, row, question, span, reply))
        what = f"questions for {len(passages)} passage{'s' * (len(passages) != 1)}"
        tally.report_tally(job.report, what, len(generated))
        yield from prepare_made_rows(job, generated)

    def _select_passages(self, job: RowsJob) -> list[Row]:
        if self.table and self.table not in job.tables:
            known = ", ".join(sorted(job.tables)) or "none"
            raise ValueError(f"table: no side table {self.table!r}; available: {known}")
        rows: Sequence[Row] = list(job.tables[self.table].values()) if self.table else job.rows
        long_enough = [row for row in rows if len(get_column_text(row, self.passage)) >= self.min_chars]
        return sample_rows_by_id(long_enough, self.count, self.seed)

    def _build_question_request(self, row: Row) -> ChatRequest:
        user = USER.replace("{count}", f"up to {self.per_passage} questions" if self.per_passage > 1 else "1 question")
        return self.build_teacher_request(
            SYSTEM.replace("{style}", self.style), user.replace("{passage}", get_column_text(row, self.passage)),
            schema=Questions, temperature=self.temperature,
        )

    def _iter_sound_questions(self, passage: str, reply: ChatResponse, tally: Tally) -> Iterator[tuple[str, str]]:
        """Yield (question, answer span of the passage) for accepted questions."""
        for item in reply.value.questions[: self.per_passage]:
            span = find_answer_span(item.answer, passage)
            if not span:
                tally.count_refusal("answer is not in the passage", item.answer)
            elif PASSAGE_REFERENCE.search(item.question):
                tally.count_refusal("mentions the passage itself", item.question)
            elif has_phrase(item.question, span):
                tally.count_refusal("contains its own answer", item.question)
            elif normalise(item.question) in normalise(passage):
                tally.count_refusal("is copied from the passage", item.question)
            else:
                yield item.question, span

    def _build_passage_question_row(
        self, job: RowsJob, row: Row, question: str, answer: str, reply: ChatResponse
    ) -> Row:
        values = {self.relevant: {row.id: 1}, self.answer: answer, self.evidence: get_column_text(row, self.passage)}
        columns = {self.question: question, **{name: value for name, value in values.items() if name}}
        return make_child_row(job, self.kind, columns, row, **self.build_provenance_detail(reply, answer=answer))


def find_answer_span(answer: str, passage: str) -> str:
    """Find an answer in a passage, ignoring case and punctuation between words; an empty string if it is not there."""
    words = WORD_PATTERN.findall(answer)
    pattern = r"[\W_]+".join(re.escape(word) for word in words)
    match = re.search(rf"(?<![^\W_]){pattern}(?![^\W_])", passage, re.IGNORECASE) if words else None
    return match.group() if match else ""
