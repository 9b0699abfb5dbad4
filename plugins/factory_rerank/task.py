"""The reranker task: reorders the candidates of first-stage retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import Field

from factory.api import Answer, Finding, Fraction, Row, RowsJob, Schedule, Task, is_blank, render
from factory.api.label_sets import refuse_row
from factory.api.spec_block import UnkeyedDefault
from factory_rerank import reranker_defaults
from factory_rerank.first_stage_retrieval import Fusion, search_first_stage
from factory_rerank.ranking_metrics import rank_candidates

MAX_NAMES_LISTED = 3


class Reranker(Task):
    """Ranks the candidate documents of a query, which BM25 and the cosine of the base retrieve together."""

    kind = "reranker"
    columns = ("query", "relevant")
    added_columns = ("candidates", "signals")
    tables = ("documents",)
    output_type = "ranking"
    schedule = Schedule(steps=70, least_epochs=1, most_epochs=10, batch_size=32)
    text_column = "query"

    top_k: int = Field(25, ge=1, le=1000, description="number of candidates by BM25, and again by cosine")
    fusion: Fusion = Field("scores", description="fusion of BM25 and cosine: weighted scores, or reciprocal ranks")
    bm25_weight: Fraction = Field(0.25, description="weight of BM25 in the hybrid score, 0 to 1")
    retrieval_model: Annotated[Literal["student", "embedder"], UnkeyedDefault] = Field(
        "student", description="model whose cosine retrieves: the student, or models.embedder for a student that writes"
    )
    query_template: str = Field("{query}", description="template of a query, with {column} placeholders")
    document_template: str = Field("{text}", description="template of a document, with {column} placeholders")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return reranker_defaults.RERANKER_DEFAULTS

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return reranker_defaults.RERANKER_PROFILES

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.retrieval_model == "embedder" else ()

    def get_templates(self) -> dict[str, str]:
        return {"query": self.query_template, "document": self.document_template}

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Yield every row with its candidates in hybrid order, and their signals."""
        base = job.models["embedder"] if self.retrieval_model == "embedder" else job.base
        if base is None:
            raise ValueError("a reranker needs a base model, which retrieves candidates by cosine")
        for row in job.rows:  # before the corpus is embedded, which takes longer
            _require_judgements(row)
        table = job.tables["documents"]
        documents = [render(self.document_template, row.columns) for row in table.values()]
        queries = [render(self.query_template, row.columns) for row in job.rows]
        vectors = job.kit.embed(base, [*documents, *queries], report=job.report)
        results = search_first_stage(
            queries, documents, vectors[len(documents) :], vectors[: len(documents)],
            self.top_k, self.fusion, self.bm25_weight,
        )
        names = list(table)
        for row, result in zip(job.rows, results, strict=True):
            signals = {"bm25": result.bm25, "cosine": result.cosine, "hybrid": result.hybrid}
            yield row.with_columns(candidates=[names[i] for i in result.documents], signals=signals)

    def build_expected_output(self, row: Row) -> list[float]:
        """Return the grade of every candidate as its score."""
        return [float(row["relevant"].get(name, 0)) for name in row["candidates"]]

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        table = job.tables["documents"]
        for row in job.rows:
            relevant: list[str] = list(row["relevant"])
            missing = [name for name in relevant if name not in table]
            texts = {name: render(self.document_template, table[name].columns) for name in relevant if name in table}
            blank = [name for name, text in texts.items() if is_blank(text)]
            if blank:
                yield Finding("empty_document", row.id, f"relevant, but without text: {_list_some_names(blank)}")
            if missing:
                yield Finding("missing", row.id, f"relevant, but not in the corpus: {_list_some_names(missing)}")
            if is_blank(render(self.query_template, row.columns)):
                yield Finding("empty", row.id, "no text in the query")
            if not set(relevant) & set(row["candidates"]):
                text = f"relevant, but not among the candidates: {_list_some_names(relevant)}"
                yield Finding("unreachable", row.id, text)

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """Return the query and the first documents with their ranks; a star marks relevant ones."""
        table = tables["documents"]
        order = rank_candidates(row, answer) if answer else list(row["candidates"])
        best = [name for name in order if name in row["relevant"]][:1] if answer else list(row["relevant"])
        listed = order[:MAX_NAMES_LISTED] if answer else []
        lines = []
        for name in dict.fromkeys([*listed, *best]):
            rank = f"{order.index(name) + 1}. " if name in order else ""
            text = render(self.document_template, table[name].columns) if name in table else "not in the corpus"
            lines.append(f"{rank}{'*' if name in row['relevant'] else ''}{name} {text[:80]}")
        if answer and not best:
            lines.append(f"*not among the candidates: {_list_some_names(list(row['relevant']))}")
        return "\n  ".join([render(self.query_template, row.columns), *lines])


def _require_judgements(row: Row) -> None:
    """Raise InputError with file, line and column for judgements of another form than document id → grade."""
    relevant, irrelevant = row["relevant"], row.columns.get("irrelevant", [])
    if not isinstance(relevant, Mapping):
        refuse_row(row, f"relevant: expected grades by document id, such as {{'d1': 1}}, got {type(relevant).__name__}")
    for name, grade in relevant.items():
        if isinstance(grade, bool) or not isinstance(grade, int | float) or not isfinite(grade):
            refuse_row(row, f"relevant: the grade of {name!r} is {grade!r}; write a number")
    if not isinstance(irrelevant, list | tuple) or not all(isinstance(name, str) for name in irrelevant):
        refuse_row(row, "irrelevant: expected a list of document ids, each a text in quotes")


def _list_some_names(names: list[str]) -> str:
    """Return the first names, and the number of others."""
    more = f" and {len(names) - MAX_NAMES_LISTED} more" if len(names) > MAX_NAMES_LISTED else ""
    return ", ".join(map(repr, names[:MAX_NAMES_LISTED])) + more
