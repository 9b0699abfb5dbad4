"""Mine hard negatives: documents that the first stage ranks high and that are not relevant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from pydantic import Field

from factory.api import ChatRequest, Message, Row, RowsJob, Synthesizer, render

YES, NO = "yes", "no"
JUDGE_SYSTEM = "You judge search results. Say whether the document answers the query. Answer with yes or no alone."
JUDGE_PROMPT = "Query: {query}\n\nDocument:\n{document}\n\nDoes the document answer the query, yes or no?"


@dataclass(frozen=True, slots=True)
class _NegativeSelection:
    """A row, its negatives so far, and an iterator over the remaining candidates, best first."""

    row: Row
    chosen: list[str]
    remaining: Iterator[str]


class HardNegatives(Synthesizer):
    """Adds `negatives` to training rows: candidates that are not relevant, in the first stage's order.

    Unjudged is not irrelevant: candidates too close to the positive's own cosine are rejected (the positive-aware
    margin of NV-Retriever, arXiv:2407.15831), and with `ask_judge` also those that a judge takes for an answer.
    Documents judged irrelevant by people come first and need neither check. A row may get fewer than `count`.
    """

    kind = "hard-negatives"
    columns = ("relevant", "candidates", "signals")
    output_columns = ("negatives",)

    count: int = Field(7, ge=1, le=100, description="maximum number of negatives per row")
    rank_by: Literal["hybrid", "bm25", "cosine"] = Field(
        "hybrid", description="signal that orders the candidates; hybrid keeps the first stage's order"
    )
    margin: float = Field(0.95, gt=0, le=2, description="maximum cosine of a negative, relative to the positive's")
    skip: int = Field(0, ge=0, description="top candidates to skip")
    unseen: Literal["skip", "use"] = Field("skip", description="documents of groups that no training row has")
    ask_judge: bool = Field(False, description="let a judge reject candidates that answer the query")
    max_document_chars: int = Field(2000, ge=50, description="characters of a document shown to the judge")

    def get_required_models(self) -> tuple[str, ...]:
        return ("judge",) if self.ask_judge else ()

    def compute_fingerprint(self) -> Any:
        return (JUDGE_SYSTEM, JUDGE_PROMPT) if self.ask_judge else None

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        positives, excluded, tally = _compute_positive_cosines(job), self._find_unseen_documents(job), Counter[str]()
        selections = []
        for row in job.rows:
            judged = [name for name in row.columns.get("irrelevant", []) if name not in row["relevant"]][: self.count]
            remaining = self._iter_allowed_candidates(
                row, self.margin * positives[row.id], {*excluded, *row["relevant"], *judged}, tally,
            )
            selections.append(_NegativeSelection(row, judged, remaining))
        # Judge all rows at once, round by round: each round replaces the candidates rejected in the one before.
        while pending := [
            (selection, name)
            for selection in selections for name in islice(selection.remaining, self.count - len(selection.chosen))
        ]:
            for (selection, name), accepted in zip(pending, self._judge_candidates(job, pending, tally), strict=True):
                if accepted:
                    selection.chosen.append(name)
        for selection in selections:
            yield selection.row.with_columns(negatives=selection.chosen)
        self._report_negative_counts(job, tally, sum(len(selection.chosen) < self.count for selection in selections))

    def _find_unseen_documents(self, job: RowsJob) -> set[str]:
        """Return documents of groups without training rows; they may answer held-out test rows."""
        known = {row.group for row in job.rows}
        documents = job.tables["documents"] if self.unseen == "skip" else {}
        return {name for name, document in documents.items() if document.group and document.group not in known}

    def _iter_allowed_candidates(
        self, row: Row, limit: float, excluded: set[str], tally: Counter[str]
    ) -> Iterator[str]:
        """Yield candidates within the cosine limit, ordered by the chosen signal; count the others."""
        cosines = dict(zip(row["candidates"], row["signals"]["cosine"], strict=True))
        names = list(cosines)
        if self.rank_by != "hybrid":
            signal = dict(zip(row["candidates"], row["signals"][self.rank_by], strict=True))
            names.sort(key=lambda name: -signal[name])
        for name in names[self.skip :]:
            if name in excluded:
                continue
            if cosines[name] > limit:
                tally["close"] += 1
            else:
                yield name

    def _judge_candidates(
        self, job: RowsJob, pending: Sequence[tuple[_NegativeSelection, str]], tally: Counter[str]
    ) -> Iterator[bool]:
        """Yield whether each candidate is accepted; a judge's yes, or a failed answer, rejects it."""
        if not self.ask_judge:
            yield from (True for _ in pending)
            return
        if job.task is None:
            raise ValueError("the judge needs the task's templates, and this job has no task")
        templates, documents = job.task.get_templates(), job.tables["documents"]
        requests = (
            _build_relevance_request(
                render(templates["query"], selection.row.columns),
                render(templates["document"], documents[name].columns)[: self.max_document_chars],
            )
            for selection, name in pending
        )
        for reply in job.get_teacher("judge").ask(requests, job.report):
            vote = "failed" if reply.error else reply.text.strip()
            tally[vote] += 1
            yield vote == NO

    def _report_negative_counts(self, job: RowsJob, tally: Counter[str], short: int) -> None:
        job.report.note(
            f"{tally['close']} candidates were rejected: their cosine exceeds {self.margin:.2f} of the positive's; "
            f"{short} of {len(job.rows)} rows have fewer than {self.count} negatives"
        )
        if self.ask_judge:
            judged = tally[YES] + tally[NO] + tally["failed"]
            job.report.note(
                f"{tally[YES]} of {judged} candidates were rejected because the judge takes them for answers, and "
                f"{tally['failed']} because it gave no answer", warning=tally["failed"] > 0,
            )


def _build_relevance_request(query: str, document: str) -> ChatRequest:
    question = Message("user", JUDGE_PROMPT.format(query=query, document=document))
    return ChatRequest((Message("system", JUDGE_SYSTEM), question), choices=(YES, NO), max_tokens=4)


def _compute_positive_cosines(job: RowsJob) -> dict[str, float]:
    """Map row ids to the cosine of the nearest relevant document, computed where the first stage did not list one."""
    listed = {row.id: _get_listed_cosine(row) for row in job.rows}
    missing = _compute_missing_cosines(job, [row for row in job.rows if listed[row.id] is None])
    return {**{name: cosine for name, cosine in listed.items() if cosine is not None}, **missing}


def _get_listed_cosine(row: Row) -> float | None:
    signals = dict(zip(row["candidates"], row["signals"]["cosine"], strict=True))
    return max((signals[name] for name in row["relevant"] if name in signals), default=None)


def _compute_missing_cosines(job: RowsJob, rows: list[Row]) -> dict[str, float]:
    """Embed queries and relevant documents of rows whose relevant documents are not among the candidates."""
    documents = job.tables["documents"]
    pairs = [(row, documents[name]) for row in rows for name in row["relevant"] if name in documents]
    cosines = {row.id: -1.0 for row in rows}
    if not pairs:
        return cosines
    if job.base is None or job.task is None:
        raise ValueError("hard negatives need a base model to embed relevant documents that are not candidates")
    templates = job.task.get_templates()
    rendered = [
        (row.id, render(templates["query"], row.columns), render(templates["document"], document.columns))
        for row, document in pairs
    ]
    texts = list(dict.fromkeys(text for _, *both in rendered for text in both))
    vectors = job.kit.embed(job.base, texts, report=job.report)
    index = {text: vectors[i] for i, text in enumerate(texts)}
    for name, query, document in rendered:
        cosines[name] = max(cosines[name], float(index[query] @ index[document]))
    return cosines
