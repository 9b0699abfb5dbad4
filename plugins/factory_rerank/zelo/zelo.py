"""zELO: pairwise judgements become a target for each candidate, on one scale for all queries."""

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
    """Adds `targets` to training rows: how good each candidate is, 0 to 1, from comparisons (arXiv:2509.12541).

    A judge says which of two documents answers the query better, in both orders. Random cycles over all candidates come
    first, then cycles over the provisional best. A Thurstone or Bradley-Terry model turns the comparisons of a query
    into scores; comparisons between queries put those on one scale. An objective whose kind ends in `-targets` learns
    from them. With a file of `judgements` no judge is asked, and all that it says of the training rows is used.
    """

    kind = "zelo"
    columns = ("candidates",)
    output_columns = ("targets",)

    judgements: Annotated[Path | None, Input()] = Field(
        None, description="judgements that were already made, JSONL with query_id, a, b and p or winner; none: ask"
    )
    link: LinkFunction = Field("thurstone", description="how a difference of scores becomes a chance to win")
    documents: int = Field(100, ge=2, le=1000, description="first candidates of a row that are judged")
    cycles: int = Field(3, ge=1, description="random cycles over all documents: a judgement a document each")
    top: int = Field(25, ge=2, description="provisionally best documents that are judged further")
    top_cycles: int = Field(4, ge=0, description="random cycles over those")
    across: int = Field(4, ge=0, description="random cycles over the queries: comparisons between queries")
    reads: int = Field(2000, ge=50, description="characters of a document that the judge reads")

    def get_required_models(self) -> tuple[str, ...]:
        return () if self.judgements else ("judge",)

    def compute_fingerprint(self) -> Any:
        return None if self.judgements else PROMPTS

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        contests = self._load_given_judgements(job) if self.judgements else self._collect_judgements(job)
        contests = [contest for contest in contests if contest.pairs]
        low, high = compute_score_range(contests) if contests else (0.0, 1.0)
        found = {contest.row.id: contest for contest in contests}
        for row in job.rows:
            yield self._add_targets(row, found.get(row.id), low, high - low)
        judged = sum(len(contest.pairs) for contest in contests)
        lost = sum(len(contest.names) - len(contest.list_connected_places()) for contest in contests)
        job.report.note(
            f"targets of {len(contests)} of {len(job.rows)} queries from {judged} judgements, reliability "
            f"{compute_reliability(contests):.2f}; {lost} documents have none, as nothing connects them with the rest",
            warning=bool(lost) or len(contests) < len(job.rows),
        )

    def _add_targets(self, row: Row, contest: QueryComparisons | None, low: float, width: float) -> Row:
        if contest is None:
            return row.with_columns(targets={})
        places = contest.list_connected_places()
        shares = {contest.names[i]: min(max((contest.compute_global_score(i) - low) / width, 0.0), 1.0) for i in places}
        error = sum(contest.standard_errors[i] for i in places) / len(places) / width
        facts = {"judge": contest.judge_name, "judgements": len(contest.pairs), "error": round(error, DIGITS)}
        origin = replace(row.provenance, detail={**row.provenance.detail, "targets": facts})
        ordered = {name: round(shares[name], DIGITS) for name in sorted(shares)}
        return replace(row.with_columns(targets=ordered), provenance=origin)

    def _collect_judgements(self, job: RowsJob) -> list[QueryComparisons]:
        """Ask the judge, all queries at once: one stage of comparisons after the other."""
        teacher = job.get_teacher("judge")
        judge, panel, known = PairwiseJudge(teacher, job.report), _JudgeDocumentRenderer(job, self.reads), job.tables["documents"]
        contests = [
            QueryComparisons(row, [name for name in row["candidates"] if name in known][: self.documents], teacher.model)
            for row in job.rows
        ]
        draws = [_seed_query_generator(job.seed, contest.row.id) for contest in contests]
        first = [contest.draw_first_cycles(self.cycles, draw) for contest, draw in zip(contests, draws, strict=True)]
        self._judge_pairs(contests, first, judge, panel)
        drawn = zip(contests, draws, strict=True)
        second = [contest.draw_second_cycles(self.top, self.top_cycles, draw) for contest, draw in drawn]
        self._judge_pairs(contests, second, judge, panel)
        between = draw_cross_query_pairs(contests, self.across, _seed_query_generator(job.seed, ""))
        pairs = [(panel.render_document_side(contests[a], i), panel.render_document_side(contests[b], j)) for (a, i), (b, j) in between]
        _align_levels(contests, between, list(judge.judge(pairs)), self.link)
        job.report.note(describe_judge_work(judge, teacher.model), warning=judge.failed_count > 0)
        return contests

    def _judge_pairs(
        self, contests: Sequence[QueryComparisons], pairs: Sequence[Sequence[PlacePair]], judge: PairwiseJudge, panel: _JudgeDocumentRenderer
    ) -> None:
        """Have the pairs of each contest judged, and fit its scores anew."""
        asked = [(contest, pair) for contest, some in zip(contests, pairs, strict=True) for pair in some]
        sides = [(panel.render_document_side(contest, a), panel.render_document_side(contest, b)) for contest, (a, b) in asked]
        for (contest, pair), share in zip(asked, judge.judge(sides), strict=True):
            contest.add_judgement(pair, share)
        _fit_all_scores(contests, self.link)

    def _load_given_judgements(self, job: RowsJob) -> list[QueryComparisons]:
        """Take judgements from the file; what it says of other queries than the training rows is left alone."""
        assert self.judgements is not None
        rows, known = {row.id: row for row in job.rows}, job.tables["documents"]
        contests: dict[str, QueryComparisons] = {}
        between: list[PairJudgement] = []
        elsewhere = strange = 0
        for one in read_judgements(self.judgements, job):
            if not {one.query, one.other_query or one.query} <= set(rows):
                elsewhere += 1
            elif one.a not in known or one.b not in known:
                strange += 1
            elif one.other_query:
                between.append(one)
            else:
                contest = contests.setdefault(one.query, QueryComparisons(rows[one.query], [], str(self.judgements)))
                contest.add_judgement((contest.get_or_add_place(one.a), contest.get_or_add_place(one.b)), one.share)
        found = list(contests.values())
        _fit_all_scores(found, self.link)
        edges, shares = _locate_cross_query_pairs(found, between)
        _align_levels(found, edges, shares, self.link)
        job.report.note(
            f"{self.judgements}: {len(between)} judgements between queries; left out: {elsewhere} of queries that no "
            f"training row has, {strange} of documents that the collection does not have", warning=strange > 0,
        )
        return found


class _JudgeDocumentRenderer:
    """Renders what a judge is shown, by the task's own templates."""

    def __init__(self, job: RowsJob, reads: int) -> None:
        if job.task is None:
            raise ValueError("a judge is shown texts by the task's templates, and there is no task")
        self._templates, self._documents, self._max_characters = job.task.get_templates(), job.tables["documents"], reads

    def render_document_side(self, contest: QueryComparisons, place: int) -> JudgedDocument:
        document = self._documents[contest.names[place]].columns
        text = render(self._templates["document"], document)
        return JudgedDocument(render(self._templates["query"], contest.row.columns), text[: self._max_characters])


def _seed_query_generator(seed: int, name: str) -> np.random.Generator:
    """The draws of one query, whatever other rows there are: an edit of one row asks nothing new of the others."""
    import numpy as np

    return np.random.default_rng([seed, *name.encode()])


def _fit_all_scores(contests: Sequence[QueryComparisons], link: LinkFunction) -> None:
    for contest in contests:
        contest.fit_scores(link)


def _align_levels(contests: Sequence[QueryComparisons], edges: Sequence[Any], shares: Sequence[float | None], link: LinkFunction) -> None:
    """Put all queries on one scale: by their floors, then by what was judged between them."""
    judged = [contest for contest in contests if contest.pairs]
    anchor_levels(judged)
    valid = [(edge, share) for edge, share in zip(edges, shares, strict=True) if share is not None]
    if valid:
        adjust_levels(contests, [edge for edge, _ in valid], [share for _, share in valid], link)


def _locate_cross_query_pairs(contests: Sequence[QueryComparisons], judged: Sequence[PairJudgement]) -> tuple[list[Any], list[float]]:
    """Comparisons between queries as places, of documents that have a score."""
    at = {contest.row.id: index for index, contest in enumerate(contests)}
    edges, shares = [], []
    for one in judged:
        a, b = at.get(one.query), at.get(one.other_query)
        if a is not None and b is not None and one.a in contests[a].names and one.b in contests[b].names:
            edges.append(((a, contests[a].names.index(one.a)), (b, contests[b].names.index(one.b))))
            shares.append(one.share)
    return edges, shares
