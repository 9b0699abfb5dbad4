"""Retrieval datasets: a corpus, queries and relevance judgements in JSONL files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from factory.api import Input, Job, Provenance, Row, Source, SpecBlock, read_numbered_jsonl

MISSING = object()
JsonObject = Mapping[str, Any]
T = TypeVar("T")


class RetrievalFieldNames(SpecBlock):
    """Names of the fields in the files; in BEIR they are `_id`, `query-id`, `corpus-id` and `score`."""

    id: str = Field("id", description="id of a document or query")
    text: str = Field("text", description="text of a document or query")
    title: str = Field("title", description="title of a document, optional")
    query: str = Field("query_id", description="query id of a judgement")
    document: str = Field("doc_id", description="document id of a judgement")
    grade: str = Field("relevance", description="grade of a judgement; 0 or less is irrelevant, none counts as 1")
    split: str = Field("split", description="split of a query, optional")


@dataclass(slots=True)
class QueryJudgements:
    """Judgements of one query: document → grade above 0, and documents judged irrelevant."""

    relevant: dict[str, float] = field(default_factory=dict)
    irrelevant: list[str] = field(default_factory=list)


class Retrieval(Source):
    """Reads queries with graded documents. Queries without a relevant document are skipped and counted."""

    kind = "retrieval"
    output_columns = ("query", "relevant")
    tables = ("documents",)

    corpus: Annotated[Path, Input()] = Field(description="JSONL file of documents, relative to the spec")
    queries: Annotated[Path, Input()] = Field(description="JSONL file of queries, relative to the spec")
    qrels: Annotated[Path, Input()] = Field(description="JSONL file of judgements, relative to the spec")
    fields: RetrievalFieldNames = Field(RetrievalFieldNames(), description="names of the fields in the files")
    licence: str = Field("", description="licence of the collection, recorded in the bundle")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        judged: dict[str, QueryJudgements] = {}
        for _ in self._map_json_lines(job, self.qrels, partial(self._add_judgement, judged=judged)):
            pass
        yield from self._map_json_lines(job, self.corpus, self._build_corpus_row)
        unanswered = 0
        for row in self._map_json_lines(job, self.queries, partial(self._build_query_row, judged=judged)):
            if row["relevant"]:
                yield row
            else:
                unanswered += 1
        if unanswered:
            job.report.note(f"{self.queries.name}: skipped {unanswered} queries without a relevant document")
        if judged:  # judgements are removed as their queries are read
            some = ", ".join(sorted(judged)[:3])
            text = f"{self.qrels.name}: {len(judged)} judged queries are not in {self.queries.name} ({some})"
            job.report.note(text, warning=True)

    def _build_corpus_row(self, record: JsonObject, location: str) -> Row:
        columns = {"text": _read_required_text(record, self.fields.text, location, empty=True)}
        if self.fields.title in record:
            columns["title"] = _read_required_text(record, self.fields.title, location, empty=True)
        name = _read_required_text(record, self.fields.id, location)
        return Row(name, columns, self._build_provenance(self.corpus, location), table="documents")

    def _build_query_row(self, record: JsonObject, location: str, judged: dict[str, QueryJudgements]) -> Row:
        """Build the row of a query, and remove its judgements from `judged`."""
        name = _read_required_text(record, self.fields.id, location)
        judgements = judged.pop(name, QueryJudgements())
        columns: dict[str, Any] = {
            "query": _read_required_text(record, self.fields.text, location, empty=True),
            "relevant": judgements.relevant,
        }
        if judgements.irrelevant:
            columns["irrelevant"] = judgements.irrelevant
        split = str(record.get(self.fields.split) or "")
        return Row(name, columns, self._build_provenance(self.queries, location), split=split)

    def _add_judgement(self, record: JsonObject, location: str, judged: dict[str, QueryJudgements]) -> None:
        """Add a judgement to those of its query. Raises ValueError if it is invalid or a duplicate."""
        judgements = judged.setdefault(_read_required_text(record, self.fields.query, location), QueryJudgements())
        document = _read_required_text(record, self.fields.document, location)
        grade = record.get(self.fields.grade, 1)
        if isinstance(grade, bool) or not isinstance(grade, int | float):
            raise ValueError(f"{location}: {self.fields.grade}: expected a number, got {grade!r}")
        if document in judgements.relevant or document in judgements.irrelevant:
            raise ValueError(f"{location}: {self.fields.document}: duplicate judgement of {document!r} for this query")
        if grade > 0:
            judgements.relevant[document] = grade
        else:
            judgements.irrelevant.append(document)

    def _map_json_lines(self, job: Job, path: Path, build: Callable[[JsonObject, str], T]) -> Iterator[T]:
        """Yield `build(object, location)` for each line; report invalid objects to the job."""
        for number, record in read_numbered_jsonl(job.root / path, str(path), job.report_bad_record):
            try:
                value = build(record, f"{path}:{number}")
            except ValueError as error:
                job.report_bad_record(str(error))
            else:
                yield value

    def _build_provenance(self, path: Path, location: str) -> Provenance:
        return Provenance(str(path), int(location.rpartition(":")[2]), self.licence)


def _read_required_text(record: JsonObject, name: str, location: str, *, empty: bool = False) -> str:
    """Return a text field, or an integer id as text. Raises ValueError `file:line: field: …`."""
    value = record.get(name, MISSING)
    if value is MISSING:
        has = ", ".join(sorted(record)) or "no fields"
        raise ValueError(f"{location}: {name}: no such field; the record has {has}")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"{location}: {name}: expected text, got {type(value).__name__}")
    if not value and not empty:
        raise ValueError(f"{location}: {name}: is empty")
    return value
