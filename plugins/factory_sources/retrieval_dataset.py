"""Retrieval datasets: a corpus, queries and relevance judgements in JSONL files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from factory.api import Input, Job, Provenance, Row, Source, SpecBlock, read_numbered_jsonl
from factory.text.suggestions import suggest_near_name
from factory_sources.draft_retrieval import draft_collection
from factory_sources.records import describe_name_type

JsonObject = Mapping[str, Any]
T = TypeVar("T")


class RetrievalFieldNames(SpecBlock):
    """Names of the fields in the files; in BEIR they are `_id`, `query-id`, `corpus-id` and `score`."""

    id: str = Field("id", description="id of a document or query")
    text: str = Field("text", description="text of a document or query")
    title: str = Field("title", description="title of a document, optional")
    query: str = Field("query_id", description="query id of a judgement")
    document: str = Field("doc_id", description="document id of a judgement")
    grade: str = Field("relevance", description="grade of a judgement; 0 or less is irrelevant, a missing one is 1")
    split: str = Field("split", description="split of a query, optional")


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

    @classmethod
    def draft_fields(cls, data: Path) -> Mapping[str, Any]:
        return draft_collection(data, RetrievalFieldNames().model_dump())

    def iter_rows(self, job: Job) -> Iterator[Row]:
        grades: dict[str, dict[str, float]] = {}
        for _ in self._map_json_lines(job, self.qrels, partial(self._add_judgement, grades)):
            pass
        yield from self._map_json_lines(job, self.corpus, self._build_corpus_row)
        unanswered = 0
        for row in self._map_json_lines(job, self.queries, partial(self._build_query_row, grades)):
            if row["relevant"]:
                yield row
            else:
                unanswered += 1
        if unanswered:
            what = "1 query" if unanswered == 1 else f"{unanswered} queries"
            job.report.note(f"{self.queries.name}: skipped {what} without a relevant document")
        if grades:  # grades are removed as their queries are read
            what = "1 judged query is" if len(grades) == 1 else f"{len(grades)} judged queries are"
            ids = ", ".join(sorted(grades)[:3])
            job.report.note(f"{self.qrels.name}: {what} not in {self.queries.name} ({ids})", warning=True)

    def _build_corpus_row(self, record: JsonObject, origin: Provenance) -> Row:
        columns = {"text": _read_required_text(record, self.fields.text, origin, empty=True)}
        if self.fields.title in record:
            columns["title"] = _read_required_text(record, self.fields.title, origin, empty=True)
        return Row(_read_required_text(record, self.fields.id, origin), columns, origin, table="documents")

    def _build_query_row(self, grades: dict[str, dict[str, float]], record: JsonObject, origin: Provenance) -> Row:
        """Build the row of a query, and remove its judgements from `grades`."""
        name = _read_required_text(record, self.fields.id, origin)
        judged = grades.pop(name, {})
        text = _read_required_text(record, self.fields.text, origin, empty=True)
        relevant = {document: grade for document, grade in judged.items() if grade > 0}
        irrelevant = [document for document in judged if document not in relevant]
        columns = {"query": text, "relevant": relevant, **({"irrelevant": irrelevant} if irrelevant else {})}
        return Row(name, columns, origin, split=str(record.get(self.fields.split) or ""))

    def _add_judgement(self, grades: dict[str, dict[str, float]], record: JsonObject, origin: Provenance) -> None:
        """Add a judgement to those of its query. Raises ValueError if it is invalid or a duplicate."""
        judged = grades.setdefault(_read_required_text(record, self.fields.query, origin), {})
        document, grade = _read_required_text(record, self.fields.document, origin), record.get(self.fields.grade, 1)
        where = f"{origin.source}:{origin.line}"
        if isinstance(grade, bool) or not isinstance(grade, int | float):
            raise ValueError(f"{where}: {self.fields.grade}: expected a number, got {grade!r}")
        if document in judged:
            raise ValueError(f"{where}: {self.fields.document}: duplicate judgement of {document!r} for this query")
        judged[document] = grade

    def _map_json_lines(self, job: Job, path: Path, build: Callable[[JsonObject, Provenance], T]) -> Iterator[T]:
        """Yield `build(object, provenance)` for each line; report invalid objects to the job."""
        for number, record in read_numbered_jsonl(job.root / path, str(path), job.report_bad_record):
            try:
                item = build(record, Provenance(str(path), number, self.licence))
            except ValueError as error:
                job.report_bad_record(str(error))
            else:
                yield item


def _read_required_text(record: JsonObject, name: str, origin: Provenance, *, empty: bool = False) -> str:
    """Return a text field, or an integer id as text. Raises ValueError `file:line: field: …`."""
    where = f"{origin.source}:{origin.line}: {name}"
    if name not in record:
        has = f"the record has {', '.join(sorted(record)) or 'no fields'}{suggest_near_name(name, record)}"
        raise ValueError(f"{where}: no such field; {has}; set `fields` if it has others")
    value = record[name]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        why = f"expected text, got {type(value).__name__}" if empty else describe_name_type(value)
        raise ValueError(f"{where}: {why}")
    if not value and not empty:
        raise ValueError(f"{where}: is empty")
    return value
