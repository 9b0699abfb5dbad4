"""The reranker: puts the candidates of a first-stage search in a better order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from factory.api import Answer, Finding, Fraction, Row, RowsJob, Task, render
from factory_rerank import reranker_defaults
from factory_rerank.first_stage_retrieval import Fusion, search_first_stage
from factory_rerank.ranking_metrics import rank_candidates

MAX_NAMES_LISTED = 3


class Reranker(Task):
    """Ranks documents for a query: the candidates that BM25 and the base's cosine find together, and no others."""

    kind = "reranker"
    columns = ("query", "relevant")
    added_columns = ("candidates", "signals")
    tables = ("documents",)
    output_type = "ranking"
    text_column = "query"

    candidates_each: int = Field(25, ge=1, le=1000, description="best documents by BM25, and as many by cosine")
    fusion: Fusion = Field("scores", description="how the hybrid mixes both: their scores, or their reciprocal ranks")
    bm25_weight: Fraction = Field(0.25, description="BM25's share in the hybrid")
    query_template: str = Field("{query}", description="a query as the model reads it, over the row's columns")
    document_template: str = Field("{text}", description="a document as the model reads it, over its columns")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return reranker_defaults.RERANKER_DEFAULTS

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return reranker_defaults.RERANKER_PROFILES

    def get_templates(self) -> dict[str, str]:
        return {"query": self.query_template, "document": self.document_template}

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Every row with its candidates, in the hybrid's order, and the signals that put them there."""
        if job.base is None:
            raise ValueError("a reranker's candidates need the base model: it gives the cosine")
        table = job.tables["documents"]
        names = list(table)
        documents = [render(self.document_template, row.columns) for row in table.values()]
        queries = [render(self.query_template, row.columns) for row in job.rows]
        vectors = job.kit.embed(job.base, [*documents, *queries], report=job.report)
        found = search_first_stage(
            queries, documents, vectors[len(documents) :], vectors[: len(documents)],
            self.candidates_each, self.fusion, self.bm25_weight,
        )
        for row, one in zip(job.rows, found, strict=True):
            signals = {"bm25": one.bm25, "cosine": one.cosine, "hybrid": one.hybrid}
            yield row.with_columns(candidates=[names[i] for i in one.documents], signals=signals)

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        table = job.tables["documents"]
        for row in job.rows:
            yield from self._audit_reranker_row(row, table)

    def _audit_reranker_row(self, row: Row, table: Mapping[str, Row]) -> Iterator[Finding]:
        relevant = row["relevant"]
        missing = [name for name in relevant if name not in table]
        texts = {f"document {name!r}": self._render_candidate(table[name]) for name in relevant if name in table}
        empty = [what for what, text in {"its query": render(self.query_template, row.columns), **texts}.items()
                 if not text.strip()]
        if missing:
            yield Finding("missing", row.id, f"{_list_some_names(missing)} is relevant to it and not in the documents")
        if empty:
            yield Finding("empty", row.id, f"{', '.join(empty)} has no text")
        if not set(relevant) & set(row["candidates"]):
            size = len(row["candidates"])
            yield Finding(
                "unreachable", row.id, f"{_list_some_names(list(relevant))} is not among its {size} candidates"
            )

    def _render_candidate(self, row: Row) -> str:
        return render(self.document_template, row.columns)

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """The query, then the first documents; a relevant one has a star, and one further down its rank."""
        table = tables["documents"]
        order = rank_candidates(row, answer) if answer else list(row["candidates"])
        firsts = [name for name in order if name in row["relevant"]][:1] if answer else list(row["relevant"])
        shown = order[:MAX_NAMES_LISTED] if answer else []
        parts = []
        for name in dict.fromkeys([*shown, *firsts]):
            rank = f"{order.index(name) + 1}. " if name in order else ""
            text = self._render_candidate(table[name]) if name in table else "not in the documents"
            parts.append(f"{rank}{'*' if name in row['relevant'] else ''}{name} {text[:80]}")
        if answer and not firsts:
            parts.append(f"*{_list_some_names(list(row['relevant']))} is not among the candidates")
        return "\n  ".join([render(self.query_template, row.columns), *parts])


def _list_some_names(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MAX_NAMES_LISTED} more" if len(names) > MAX_NAMES_LISTED else ""
    return ", ".join(map(repr, names[:MAX_NAMES_LISTED])) + more
