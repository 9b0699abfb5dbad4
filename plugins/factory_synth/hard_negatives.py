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
    unseen: Literal["skip", "use"] = Field("skip", description="use of documents of groups without training rows")
    ask_judge: bool = Field(False, description="let a judge reject candidates that answer the query")
    max_document_chars: int = Field(2000, ge=50, description="characters of a document shown to the judge")

    def get_required_models(self) -> tuple[str, ...]:
        return ("judge",) if self.ask_judge else ()

    def compute_fingerprint(self) -> Any:
        return (JUDGE_SYSTEM, JUDGE_PROMPT) if self.ask_judge else None

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        known, documents = {row.group for row in job.rows}, job.tables["documents"] if self.unseen == "skip" else {}
        # Documents of groups without training rows may answer held-out test rows.
        unseen = {name for name, document in documents.items() if document.group and document.group not in known}
        positives, selections, tally = _compute_positive_cosines(job), list[_NegativeSelection](), Counter[str]()
        for row in job.rows:
            judged = [name for name in row.columns.get("irrelevant", []) if name not in row["relevant"]][: self.count]
            excluded = {*unseen, *row["relevant"], *judged}
            remaining = self._iter_allowed_candidates(row, self.margin * positives[row.id], excluded, tally)
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
            if name not in excluded and cosines[name] > limit:
                tally["close"] += 1
            elif name not in excluded:
                yield name

    def _judge_candidates(
        self, job: RowsJob, pending: Sequence[tuple[_NegativeSelection, str]], tally: Counter[str]
    ) -> Iterator[bool]:
        """Yield whether each candidate is accepted; a judge's yes, or a failed answer, rejects it."""
        if not self.ask_judge:
            yield from (True for _ in pending)
            return
        if job.task is None:
            raise ValueError("the judge needs the task's templates, but this job has no task")
        templates, documents = job.task.get_templates(), job.tables["documents"]
        # A generator: the texts of all pending pairs may not fit into memory.
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
            f"candidates whose cosine exceeds {self.margin:.2f} of the positive's: {tally['close']} rejected; "
            f"rows with fewer than {self.count} negatives: {short} of {len(job.rows)}"
        )
        if self.ask_judge:
            judged = tally[YES] + tally[NO] + tally["failed"]
            job.report.note(
                f"candidates judged: {judged}; rejected because the judge takes them for answers: {tally[YES]}, "
                f"because it gave no answer: {tally['failed']}", warning=tally["failed"] > 0,
            )


def _build_relevance_request(query: str, document: str) -> ChatRequest:
    question = Message("user", JUDGE_PROMPT.format(query=query, document=document))
    return ChatRequest((Message("system", JUDGE_SYSTEM), question), choices=(YES, NO), max_tokens=4)


def _compute_positive_cosines(job: RowsJob) -> dict[str, float]:
    """Map row ids to the cosine of the nearest relevant document, embedded where no candidate is relevant."""
    documents, cosines, pairs = job.tables["documents"], dict[str, float](), list[tuple[Row, Row]]()
    for row in job.rows:
        signals = dict(zip(row["candidates"], row["signals"]["cosine"], strict=True))
        listed = [signals[name] for name in row["relevant"] if name in signals]
        cosines[row.id] = max(listed, default=-1.0)
        if not listed:
            pairs += [(row, documents[name]) for name in row["relevant"] if name in documents]
    if not pairs:
        return cosines
    if job.base is None or job.task is None:
        raise ValueError("hard negatives need a base model to embed relevant documents that are not candidates")
    templates = job.task.get_templates()
    rendered = [
        (row.id, render(templates["query"], row.columns), render(templates["document"], document.columns))
        for row, document in pairs
    ]
    texts = list(dict.fromkeys(text for _, *pair in rendered for text in pair))
    vectors = job.kit.embed(job.base, texts, report=job.report)
    index = {text: vectors[i] for i, text in enumerate(texts)}
    for name, query, document in rendered:
        cosines[name] = max(cosines[name], float(index[query] @ index[document]))
    return cosines
