"""zELO: pairwise judgements become a target for each candidate, on one scale for all queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from factory.api import Input, Row, RowsJob, Synthesizer, render
from factory_rerank.zelo.comparison_graph import Pair
from factory_rerank.zelo.fit import Link
from factory_rerank.zelo.judging import PROMPTS, Judge, Judgement, Side, counted, read
from factory_rerank.zelo.pairwise import Contest, across, adjust, anchor, reliability, scale

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
    link: Link = Field("thurstone", description="how a difference of scores becomes a chance to win")
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
        contests = self._given(job) if self.judgements else self._asked(job)
        contests = [contest for contest in contests if contest.pairs]
        low, high = scale(contests) if contests else (0.0, 1.0)
        found = {contest.row.id: contest for contest in contests}
        for row in job.rows:
            yield self._targeted(row, found.get(row.id), low, high - low)
        judged = sum(len(contest.pairs) for contest in contests)
        lost = sum(len(contest.names) - len(contest.compared()) for contest in contests)
        job.report.note(
            f"targets of {len(contests)} of {len(job.rows)} queries from {judged} judgements, reliability "
            f"{reliability(contests):.2f}; {lost} documents have none, as nothing connects them with the rest",
            warning=bool(lost) or len(contests) < len(job.rows),
        )

    def _targeted(self, row: Row, contest: Contest | None, low: float, width: float) -> Row:
        if contest is None:
            return row.with_columns(targets={})
        places = contest.compared()
        shares = {contest.names[i]: min(max((contest.worth(i) - low) / width, 0.0), 1.0) for i in places}
        error = sum(contest.errors[i] for i in places) / len(places) / width
        facts = {"judge": contest.judge, "judgements": len(contest.pairs), "error": round(error, DIGITS)}
        origin = replace(row.provenance, detail={**row.provenance.detail, "targets": facts})
        ordered = {name: round(shares[name], DIGITS) for name in sorted(shares)}
        return replace(row.with_columns(targets=ordered), provenance=origin)

    def _asked(self, job: RowsJob) -> list[Contest]:
        """Ask the judge, all queries at once: one stage of comparisons after the other."""
        teacher = job.get_teacher("judge")
        judge, panel, known = Judge(teacher, job.report), _Panel(job, self.reads), job.tables["documents"]
        contests = [
            Contest(row, [name for name in row["candidates"] if name in known][: self.documents], teacher.model)
            for row in job.rows
        ]
        draws = [_draw(job.seed, contest.row.id) for contest in contests]
        first = [contest.first_stage(self.cycles, draw) for contest, draw in zip(contests, draws, strict=True)]
        self._judged(contests, first, judge, panel)
        drawn = zip(contests, draws, strict=True)
        second = [contest.second_stage(self.top, self.top_cycles, draw) for contest, draw in drawn]
        self._judged(contests, second, judge, panel)
        between = across(contests, self.across, _draw(job.seed, ""))
        pairs = [(panel.side(contests[a], i), panel.side(contests[b], j)) for (a, i), (b, j) in between]
        _level(contests, between, list(judge.judge(pairs)), self.link)
        job.report.note(counted(judge, teacher.model), warning=judge.failed > 0)
        return contests

    def _judged(
        self, contests: Sequence[Contest], pairs: Sequence[Sequence[Pair]], judge: Judge, panel: _Panel
    ) -> None:
        """Have the pairs of each contest judged, and fit its scores anew."""
        asked = [(contest, pair) for contest, some in zip(contests, pairs, strict=True) for pair in some]
        sides = [(panel.side(contest, a), panel.side(contest, b)) for contest, (a, b) in asked]
        for (contest, pair), share in zip(asked, judge.judge(sides), strict=True):
            contest.add(pair, share)
        _settle(contests, self.link)

    def _given(self, job: RowsJob) -> list[Contest]:
        """Take judgements from the file; what it says of other queries than the training rows is left alone."""
        assert self.judgements is not None
        rows, known = {row.id: row for row in job.rows}, job.tables["documents"]
        contests: dict[str, Contest] = {}
        between: list[Judgement] = []
        elsewhere = strange = 0
        for one in read(self.judgements, job):
            if not {one.query, one.other or one.query} <= set(rows):
                elsewhere += 1
            elif one.a not in known or one.b not in known:
                strange += 1
            elif one.other:
                between.append(one)
            else:
                contest = contests.setdefault(one.query, Contest(rows[one.query], [], str(self.judgements)))
                contest.add((contest.place(one.a), contest.place(one.b)), one.share)
        found = list(contests.values())
        _settle(found, self.link)
        edges, shares = _between(found, between)
        _level(found, edges, shares, self.link)
        job.report.note(
            f"{self.judgements}: {len(between)} judgements between queries; left out: {elsewhere} of queries that no "
            f"training row has, {strange} of documents that the collection does not have", warning=strange > 0,
        )
        return found


class _Panel:
    """Renders what a judge is shown, by the task's own templates."""

    def __init__(self, job: RowsJob, reads: int) -> None:
        if job.task is None:
            raise ValueError("a judge is shown texts by the task's templates, and there is no task")
        self._templates, self._documents, self._reads = job.task.get_templates(), job.tables["documents"], reads

    def side(self, contest: Contest, place: int) -> Side:
        document = self._documents[contest.names[place]].columns
        text = render(self._templates["document"], document)
        return Side(render(self._templates["query"], contest.row.columns), text[: self._reads])


def _draw(seed: int, name: str) -> np.random.Generator:
    """The draws of one query, whatever other rows there are: an edit of one row asks nothing new of the others."""
    import numpy as np

    return np.random.default_rng([seed, *name.encode()])


def _settle(contests: Sequence[Contest], link: Link) -> None:
    for contest in contests:
        contest.settle(link)


def _level(contests: Sequence[Contest], edges: Sequence[Any], shares: Sequence[float | None], link: Link) -> None:
    """Put all queries on one scale: by their floors, then by what was judged between them."""
    judged = [contest for contest in contests if contest.pairs]
    anchor(judged)
    valid = [(edge, share) for edge, share in zip(edges, shares, strict=True) if share is not None]
    if valid:
        adjust(contests, [edge for edge, _ in valid], [share for _, share in valid], link)


def _between(contests: Sequence[Contest], judged: Sequence[Judgement]) -> tuple[list[Any], list[float]]:
    """Comparisons between queries as places, of documents that have a score."""
    at = {contest.row.id: index for index, contest in enumerate(contests)}
    edges, shares = [], []
    for one in judged:
        a, b = at.get(one.query), at.get(one.other)
        if a is not None and b is not None and one.a in contests[a].names and one.b in contests[b].names:
            edges.append(((a, contests[a].names.index(one.a)), (b, contests[b].names.index(one.b))))
            shares.append(one.share)
    return edges, shares
