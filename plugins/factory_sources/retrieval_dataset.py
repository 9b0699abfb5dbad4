"""Any retrieval collection: a corpus, queries and judgements, one JSON object a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from factory.api import Input, Job, Provenance, Row, Source, SpecBlock, read_numbered_jsonl

MISSING = object()
JsonObject = Mapping[str, Any]
T = TypeVar("T")


class RetrievalFieldNames(SpecBlock):
    """How the fields are called in the files; BEIR's are `_id`, `query-id`, `corpus-id` and `score`."""

    id: str = Field("id", description="id of a document or a query")
    text: str = Field("text", description="text of a document or a query")
    title: str = Field("title", description="title of a document, where it has one")
    query: str = Field("query_id", description="a judgement's query")
    document: str = Field("doc_id", description="a judgement's document")
    grade: str = Field("relevance", description="a judgement's grade; 0 or less is judged irrelevant, none at all is 1")
    split: str = Field("split", description="a query's split, where it has one")


@dataclass(slots=True)
class QueryJudgements:
    """What was judged of one query: document → grade above 0, and documents judged irrelevant."""

    relevant: dict[str, float] = field(default_factory=dict)
    irrelevant: list[str] = field(default_factory=list)


class Retrieval(Source):
    """Queries with graded documents. A query without a relevant document is left out and counted."""

    kind = "retrieval"
    output_columns = ("query", "relevant")
    tables = ("documents",)

    corpus: Annotated[Path, Input()] = Field(description="documents, JSONL, relative to the spec")
    queries: Annotated[Path, Input()] = Field(description="queries, JSONL, relative to the spec")
    qrels: Annotated[Path, Input()] = Field(description="judgements, JSONL, relative to the spec")
    fields: RetrievalFieldNames = Field(RetrievalFieldNames(), description="how the files call their fields")
    licence: str = Field("", description="licence of the collection, for the bundle's notes")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        judged: dict[str, QueryJudgements] = {}
        for _ in self._map_json_lines(job, self.qrels, lambda record, line: self._add_judgement(record, line, judged)):
            pass
        yield from self._map_json_lines(job, self.corpus, self._build_corpus_row)
        unanswered = 0
        for row in self._map_json_lines(
            job, self.queries, lambda record, line: self._build_query_row(record, line, judged)
        ):
            if row["relevant"]:
                yield row
            else:
                unanswered += 1
        if unanswered:
            job.report.note(f"{self.queries.name}: {unanswered} queries left out: they have no relevant document")
        if judged:
            some = ", ".join(sorted(judged)[:3])
            job.report.note(f"{self.qrels.name}: {len(judged)} judged queries are in no file ({some})", warning=True)

    def _build_corpus_row(self, record: JsonObject, line: str) -> Row:
        columns = {"text": _read_required_text(record, self.fields.text, line, empty=True)}
        if self.fields.title in record:
            columns["title"] = _read_required_text(record, self.fields.title, line, empty=True)
        name = _read_required_text(record, self.fields.id, line)
        return Row(name, columns, self._build_provenance(self.corpus, line), table="documents")

    def _build_query_row(self, record: JsonObject, line: str, judged: dict[str, QueryJudgements]) -> Row:
        """A query with what was judged of it, which is taken out of `judged`."""
        name = _read_required_text(record, self.fields.id, line)
        found = judged.pop(name, QueryJudgements())
        columns: dict[str, Any] = {
            "query": _read_required_text(record, self.fields.text, line, empty=True), "relevant": found.relevant,
        }
        if found.irrelevant:
            columns["irrelevant"] = found.irrelevant
        split = str(record.get(self.fields.split) or "")
        return Row(name, columns, self._build_provenance(self.queries, line), split=split)

    def _add_judgement(self, record: JsonObject, line: str, judged: dict[str, QueryJudgements]) -> None:
        """Add a judgement to those of its query."""
        found = judged.setdefault(_read_required_text(record, self.fields.query, line), QueryJudgements())
        document = _read_required_text(record, self.fields.document, line)
        grade = record.get(self.fields.grade, 1)
        if isinstance(grade, bool) or not isinstance(grade, int | float):
            raise ValueError(f"{line}: {self.fields.grade}: {grade!r} is no number")
        if document in found.relevant or document in found.irrelevant:
            raise ValueError(f"{line}: {self.fields.document}: {document!r} is judged twice for this query")
        if grade > 0:
            found.relevant[document] = grade
        else:
            found.irrelevant.append(document)

    def _map_json_lines(self, job: Job, path: Path, made: Callable[[JsonObject, str], T]) -> Iterator[T]:
        """What is made of each object of a file, with its place as messages say it; of a wrong one the job is told.

        Ids that repeat are the gathering's to refuse.
        """
        for number, record in read_numbered_jsonl(job.root / path, str(path), job.report_bad_record):
            try:
                value = made(record, f"{path}:{number}")
            except ValueError as error:
                job.report_bad_record(str(error))
            else:
                yield value

    def _build_provenance(self, path: Path, line: str) -> Provenance:
        return Provenance(str(path), int(line.rpartition(":")[2]), self.licence)


def _read_required_text(record: JsonObject, name: str, line: str, *, empty: bool = False) -> str:
    """A field that must hold text, or a number that stands for an id. Raises ValueError `file:line: field: …`."""
    value = record.get(name, MISSING)
    if value is MISSING:
        raise ValueError(f"{line}: {name}: no such field; there are {', '.join(sorted(record)) or 'none'}")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"{line}: {name}: a {type(value).__name__} where text is wanted")
    if not value and not empty:
        raise ValueError(f"{line}: {name}: is empty")
    return value
