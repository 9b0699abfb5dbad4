"""zELO: fit a target for each candidate from pairwise judgements, on one scale for all queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from factory.api import Input, Row, RowsJob, Synthesizer, render
from factory_rerank.zelo.comparison_graph import PlacePair
from factory_rerank.zelo.pairwise import (
    QueryComparisons,
    adjust_levels,
    anchor_levels,
    compute_reliability,
    compute_score_range,
    draw_cross_query_pairs,
)
from factory_rerank.zelo.pairwise_judge import (
    PROMPTS,
    JudgedDocument,
    PairJudgement,
    PairwiseJudge,
    describe_judge_work,
    read_judgements,
)
from factory_rerank.zelo.score_fitting import LinkFunction

if TYPE_CHECKING:
    import numpy as np

DIGITS = 6


class Zelo(Synthesizer):
    """Adds `targets` to training rows: the quality of each candidate, 0 to 1, from comparisons (arXiv:2509.12541).

    A judge says which of two documents answers the query better, in both orders: first over random cycles of all
    candidates, then over cycles of the provisional best. A Thurstone or Bradley-Terry model turns the comparisons of a
    query into scores, and comparisons across queries align their scales. Objectives whose kind ends in `-targets` learn
    from them. With a file of `judgements` no judge is asked, and every judgement about training rows is used.
    """

    kind = "zelo"
    columns = ("candidates",)
    output_columns = ("targets",)

    judgements: Annotated[Path | None, Input()] = Field(
        None, description="existing judgements, JSONL with query_id, a, b and p or winner; by default a judge is asked"
    )
    link: LinkFunction = Field("thurstone", description="model of the winning probability, given two scores")
    max_documents: int = Field(100, ge=2, le=1000, description="maximum number of candidates judged per row")
    cycles: int = Field(3, ge=1, description="random cycles over all documents; each is one judgement per document")
    top: int = Field(25, ge=2, description="number of provisionally best documents that are judged further")
    top_cycles: int = Field(4, ge=0, description="random cycles over the provisionally best documents")
    cross_query_cycles: int = Field(4, ge=0, description="random cycles of comparisons across queries")
    max_document_chars: int = Field(2000, ge=50, description="characters of a document shown to the judge")

    def get_required_models(self) -> tuple[str, ...]:
        return () if self.judgements else ("judge",)

    def compute_fingerprint(self) -> Any:
        return None if self.judgements else PROMPTS

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        queries = self._load_given_judgements(job) if self.judgements else self._collect_judgements(job)
        queries = [query for query in queries if query.pairs]
        low, high = compute_score_range(queries) if queries else (0.0, 1.0)
        by_row = {query.row.id: query for query in queries}
        for row in job.rows:
            yield self._add_targets(row, by_row.get(row.id), low, high - low)
        judged = sum(len(query.pairs) for query in queries)
        lost = sum(len(query.names) - len(query.list_connected_places()) for query in queries)
        job.report.note(
            f"targets for {len(queries)} of {len(job.rows)} queries from {judged} judgements, reliability "
            f"{compute_reliability(queries):.2f}; {lost} documents have no target, as no judgement connects them",
            warning=bool(lost) or len(queries) < len(job.rows),
        )

    def _add_targets(self, row: Row, query: QueryComparisons | None, low: float, width: float) -> Row:
        if query is None:
            return row.with_columns(targets={})
        places = query.list_connected_places()
        scores = {i: (query.compute_global_score(i) - low) / width for i in places}
        shares = {query.names[i]: min(max(score, 0.0), 1.0) for i, score in scores.items()}
        error = sum(query.standard_errors[i] for i in places) / len(places) / width
        facts = {"judge": query.judge_name, "judgements": len(query.pairs), "error": round(error, DIGITS)}
        origin = replace(row.provenance, detail={**row.provenance.detail, "targets": facts})
        ordered = {name: round(shares[name], DIGITS) for name in sorted(shares)}
        return replace(row.with_columns(targets=ordered), provenance=origin)

    def _collect_judgements(self, job: RowsJob) -> list[QueryComparisons]:
        """Ask the judge about all queries at once, one stage of comparisons after the other."""
        teacher = job.get_teacher("judge")
        judge, renderer = PairwiseJudge(teacher, job.report), _JudgeDocumentRenderer(job, self.max_document_chars)
        known = job.tables["documents"]
        queries = [
            QueryComparisons(
                row, [name for name in row["candidates"] if name in known][: self.max_documents], teacher.model,
            )
            for row in job.rows
        ]
        draws = [_seed_query_generator(job.seed, query.row.id) for query in queries]
        first = [query.draw_first_cycles(self.cycles, draw) for query, draw in zip(queries, draws, strict=True)]
        self._judge_pairs(queries, first, judge, renderer)
        # Only now are there scores by which to choose the provisional best.
        second = [
            query.draw_second_cycles(self.top, self.top_cycles, draw)
            for query, draw in zip(queries, draws, strict=True)
        ]
        self._judge_pairs(queries, second, judge, renderer)
        between = draw_cross_query_pairs(queries, self.cross_query_cycles, _seed_query_generator(job.seed, ""))
        pairs = [
            (renderer.render_document_side(queries[a], i), renderer.render_document_side(queries[b], j))
            for (a, i), (b, j) in between
        ]
        _align_levels(queries, between, list(judge.judge(pairs)), self.link)
        job.report.note(describe_judge_work(judge, teacher.model), warning=judge.failed_count > 0)
        return queries

    def _judge_pairs(
        self, queries: Sequence[QueryComparisons], pairs: Sequence[Sequence[PlacePair]], judge: PairwiseJudge,
        renderer: _JudgeDocumentRenderer,
    ) -> None:
        """Judge the pairs of each query and fit its scores again."""
        items = [(query, pair) for query, group in zip(queries, pairs, strict=True) for pair in group]
        sides = [(renderer.render_document_side(query, a), renderer.render_document_side(query, b))
                 for query, (a, b) in items]
        for (query, pair), share in zip(items, judge.judge(sides), strict=True):
            query.add_judgement(pair, share)
        _fit_all_scores(queries, self.link)

    def _load_given_judgements(self, job: RowsJob) -> list[QueryComparisons]:
        """Load judgements from the file, skipping queries that are not training rows."""
        assert self.judgements is not None
        rows, known = {row.id: row for row in job.rows}, job.tables["documents"]
        queries: dict[str, QueryComparisons] = {}
        between: list[PairJudgement] = []
        other_queries = unknown_documents = 0
        for item in read_judgements(self.judgements, job):
            if not {item.query, item.other_query or item.query} <= set(rows):
                other_queries += 1
            elif item.a not in known or item.b not in known:
                unknown_documents += 1
            elif item.other_query:
                between.append(item)
            else:
                query = queries.setdefault(item.query, QueryComparisons(rows[item.query], [], str(self.judgements)))
                query.add_judgement((query.get_or_add_place(item.a), query.get_or_add_place(item.b)), item.share)
        comparisons = list(queries.values())
        _fit_all_scores(comparisons, self.link)
        edges, shares = _locate_cross_query_pairs(comparisons, between)
        _align_levels(comparisons, edges, shares, self.link)
        job.report.note(
            f"{self.judgements}: {len(between)} judgements across queries; skipped {other_queries} about "
            f"queries that are not training rows and {unknown_documents} about unknown documents",
            warning=unknown_documents > 0,
        )
        return comparisons


class _JudgeDocumentRenderer:
    """Renders queries and documents for the judge, with the task's own templates."""

    def __init__(self, job: RowsJob, max_characters: int) -> None:
        if job.task is None:
            raise ValueError("the judge needs the task's templates, and this job has no task")
        self._templates, self._documents = job.task.get_templates(), job.tables["documents"]
        self._max_characters = max_characters

    def render_document_side(self, query: QueryComparisons, place: int) -> JudgedDocument:
        document = self._documents[query.names[place]].columns
        text = render(self._templates["document"], document)
        return JudgedDocument(render(self._templates["query"], query.row.columns), text[: self._max_characters])


def _seed_query_generator(seed: int, name: str) -> np.random.Generator:
    """Seed a generator per query, so that editing one row does not change the comparisons of others."""
    import numpy as np

    return np.random.default_rng([seed, *name.encode()])


def _fit_all_scores(queries: Sequence[QueryComparisons], link: LinkFunction) -> None:
    for query in queries:
        query.fit_scores(link)


def _align_levels(
    queries: Sequence[QueryComparisons], edges: Sequence[Any], shares: Sequence[float | None], link: LinkFunction
) -> None:
    """Put all queries on one scale: by their floors, then by judgements across queries."""
    judged = [query for query in queries if query.pairs]
    anchor_levels(judged)
    valid = [(edge, share) for edge, share in zip(edges, shares, strict=True) if share is not None]
    if valid:
        adjust_levels(queries, [edge for edge, _ in valid], [share for _, share in valid], link)


def _locate_cross_query_pairs(
    queries: Sequence[QueryComparisons], judgements: Sequence[PairJudgement]
) -> tuple[list[Any], list[float]]:
    """Turn judgements across queries into pairs of (query, document) indices, for documents with a score."""
    index = {query.row.id: position for position, query in enumerate(queries)}
    edges, shares = [], []
    for item in judgements:
        a, b = index.get(item.query), index.get(item.other_query)
        if a is not None and b is not None and item.a in queries[a].names and item.b in queries[b].names:
            edges.append(((a, queries[a].names.index(item.a)), (b, queries[b].names.index(item.b))))
            shares.append(item.share)
    return edges, shares
