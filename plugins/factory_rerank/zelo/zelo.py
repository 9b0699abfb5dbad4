"""zELO: fit a target for each candidate from pairwise judgements, on one scale for all queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from factory.api import Input, Row, RowsJob, Synthesizer, render
from factory_rerank.zelo import pairwise, pairwise_judge
from factory_rerank.zelo.comparison_graph import IndexPair
from factory_rerank.zelo.pairwise import QueryComparisons
from factory_rerank.zelo.pairwise_judge import JudgedDocument, PairJudgement, PairwiseJudge
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
        None, description="JSONL file of judgements with query_id, a, b and p or winner; by default a judge is asked"
    )
    link: LinkFunction = Field("thurstone", description="model of the probability of winning, given two scores")
    max_documents: int = Field(100, ge=2, le=1000, description="maximum number of candidates judged per row")
    cycles: int = Field(3, ge=1, description="random cycles over all documents; each is one judgement per document")
    top: int = Field(25, ge=2, description="number of provisionally best documents that are compared again")
    top_cycles: int = Field(4, ge=0, description="random cycles over the provisionally best documents")
    cross_query_cycles: int = Field(4, ge=0, description="random cycles of comparisons across queries")
    max_document_chars: int = Field(2000, ge=50, description="maximum characters of a document shown to the judge")

    def get_required_models(self) -> tuple[str, ...]:
        return () if self.judgements else ("judge",)

    def compute_fingerprint(self) -> Any:
        return None if self.judgements else pairwise_judge.PROMPTS

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        queries = self._load_given_judgements(job) if self.judgements else self._collect_judgements(job)
        queries = [query for query in queries if query.pairs]
        low, high = pairwise.compute_score_range(queries) if queries else (0.0, 1.0)
        by_row = {query.row.id: query for query in queries}
        for row in job.rows:
            yield self._add_targets(row, by_row.get(row.id), low, high - low)
        judged = sum(len(query.pairs) for query in queries)
        unconnected = sum(len(query.names) - len(query.list_connected()) for query in queries)
        job.report.note(
            f"queries with targets: {len(queries)} of {len(job.rows)}; judgements: {judged}, reliability "
            f"{pairwise.compute_reliability(queries):.2f}; documents without a target, as no judgement connects them: "
            f"{unconnected}", warning=bool(unconnected) or len(queries) < len(job.rows),
        )

    def _add_targets(self, row: Row, query: QueryComparisons | None, low: float, width: float) -> Row:
        if query is None:
            return row.with_columns(targets={})
        indices = query.list_connected()
        scores = {i: (query.compute_global_score(i) - low) / width for i in indices}
        shares = {query.names[i]: min(max(score, 0.0), 1.0) for i, score in scores.items()}
        error = sum(query.standard_errors[i] for i in indices) / len(indices) / width
        facts = {"judge": query.judge_name, "judgements": len(query.pairs), "error": round(error, DIGITS)}
        origin = replace(row.provenance, detail={**row.provenance.detail, "targets": facts})
        ordered = {name: round(shares[name], DIGITS) for name in sorted(shares)}
        return replace(row.with_columns(targets=ordered), provenance=origin)

    def _collect_judgements(self, job: RowsJob) -> list[QueryComparisons]:
        """Ask the judge about all queries at once, one stage of comparisons after the other."""
        teacher = job.get_teacher("judge")
        judge, renderer = PairwiseJudge(teacher, job.report), _JudgeDocumentRenderer(job, self.max_document_chars)
        queries, known = [], job.tables["documents"]
        for row in job.rows:
            names = [name for name in row["candidates"] if name in known][: self.max_documents]
            queries.append(QueryComparisons(row, names, teacher.model))
        seeded = [(query, _seed_query_generator(job.seed, query.row.id)) for query in queries]
        first = [query.draw_first_cycles(self.cycles, draw) for query, draw in seeded]
        self._judge_pairs(queries, first, judge, renderer)
        # Only now are there scores by which to choose the provisional best.
        second = [query.draw_second_cycles(self.top, self.top_cycles, draw) for query, draw in seeded]
        self._judge_pairs(queries, second, judge, renderer)
        between = pairwise.draw_cross_query_pairs(queries, self.cross_query_cycles, _seed_query_generator(job.seed, ""))
        render_side = renderer.render_document_side
        pairs = [(render_side(queries[a], i), render_side(queries[b], j)) for (a, i), (b, j) in between]
        _align_levels(queries, between, list(judge.judge(pairs)), self.link)
        job.report.note(pairwise_judge.describe_judge_work(judge, teacher.model), warning=judge.failed_count > 0)
        return queries

    def _judge_pairs(
        self, queries: Sequence[QueryComparisons], pairs: Sequence[Sequence[IndexPair]], judge: PairwiseJudge,
        renderer: _JudgeDocumentRenderer,
    ) -> None:
        """Judge the pairs of each query and fit its scores again."""
        items = [(query, pair) for query, group in zip(queries, pairs, strict=True) for pair in group]
        render_side = renderer.render_document_side
        sides = [(render_side(query, a), render_side(query, b)) for query, (a, b) in items]
        for (query, pair), share in zip(items, judge.judge(sides), strict=True):
            query.add_judgement(pair, share)
        for query in queries:
            query.fit_scores(self.link)

    def _load_given_judgements(self, job: RowsJob) -> list[QueryComparisons]:
        """Load judgements from the file, skipping queries that are not training rows."""
        assert self.judgements is not None
        rows, known = {row.id: row for row in job.rows}, job.tables["documents"]
        queries: dict[str, QueryComparisons] = {}
        between: list[PairJudgement] = []
        other_queries = unknown_documents = 0
        for item in pairwise_judge.read_judgements(self.judgements, job):
            if not {item.query, item.other_query or item.query} <= set(rows):
                other_queries += 1
            elif item.a not in known or item.b not in known:
                unknown_documents += 1
            elif item.other_query:
                between.append(item)
            else:
                query = queries.setdefault(item.query, QueryComparisons(rows[item.query], [], str(self.judgements)))
                query.add_judgement((query.get_or_add_index(item.a), query.get_or_add_index(item.b)), item.share)
        comparisons = list(queries.values())
        for query in comparisons:
            query.fit_scores(self.link)
        edges, shares = _locate_cross_query_pairs(comparisons, between)
        _align_levels(comparisons, edges, shares, self.link)
        skipped = f"{other_queries} (not a training row), {unknown_documents} (unknown document)"
        text = f"{self.judgements}: judgements across queries: {len(between)}; skipped: {skipped}"
        job.report.note(text, warning=unknown_documents > 0)
        return comparisons


class _JudgeDocumentRenderer:
    """Renders queries and documents for the judge, with the task's own templates."""

    def __init__(self, job: RowsJob, max_characters: int) -> None:
        if job.task is None:
            raise ValueError("the judge needs the templates of a task, but this job has no task")
        self._templates, self._documents = job.task.get_templates(), job.tables["documents"]
        self._max_characters = max_characters

    def render_document_side(self, query: QueryComparisons, index: int) -> JudgedDocument:
        text = render(self._templates["document"], self._documents[query.names[index]].columns)
        return JudgedDocument(render(self._templates["query"], query.row.columns), text[: self._max_characters])


def _seed_query_generator(seed: int, name: str) -> np.random.Generator:
    """Seed a generator per query, so that editing one row does not change the comparisons of others."""
    import numpy as np

    return np.random.default_rng([seed, *name.encode()])


def _align_levels(
    queries: Sequence[QueryComparisons], edges: Sequence[Any], shares: Sequence[float | None], link: LinkFunction
) -> None:
    """Put all queries on one scale: by their floors, then by judgements across queries."""
    pairwise.anchor_levels([query for query in queries if query.pairs])
    valid = [(edge, share) for edge, share in zip(edges, shares, strict=True) if share is not None]
    if valid:
        pairwise.adjust_levels(queries, [edge for edge, _ in valid], [share for _, share in valid], link)


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
