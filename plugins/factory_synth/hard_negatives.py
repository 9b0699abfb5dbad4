"""Hard negatives: documents that the first stage took for answers."""

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
    """A row, the negatives it has so far, and the candidates that it may still take, the best first."""

    row: Row
    chosen: list[str]
    remaining: Iterator[str]


class HardNegatives(Synthesizer):
    """Adds `negatives` to training rows: candidates that are not relevant, the first stage's best first.

    Unjudged is not irrelevant, so a candidate that comes too near to the positive's own cosine is refused (the
    positive-aware margin of NV-Retriever, arXiv:2407.15831); and, with `guard`, one that a judge takes for an answer.
    Documents that a person judged irrelevant come first, and need neither. A row may get fewer than `count`.
    """

    kind = "hard-negatives"
    columns = ("relevant", "candidates", "signals")
    output_columns = ("negatives",)

    count: int = Field(7, ge=1, le=100, description="negatives a row, at most")
    by: Literal["hybrid", "bm25", "cosine"] = Field(
        "hybrid", description="whose best candidates come first: words, embeddings, or the list of both as it is"
    )
    margin: float = Field(0.95, gt=0, le=2, description="share of the positive's cosine that a negative may reach")
    skip: int = Field(0, ge=0, description="first candidates of the list that are never taken")
    unseen: Literal["skip", "use"] = Field("skip", description="documents of a group that no training row has")
    guard: bool = Field(False, description="whether a judge is asked that a candidate does not answer the query")
    reads: int = Field(2000, ge=50, description="characters of a document that the judge reads")

    def get_required_models(self) -> tuple[str, ...]:
        return ("judge",) if self.guard else ()

    def compute_fingerprint(self) -> Any:
        return (JUDGE_SYSTEM, JUDGE_PROMPT) if self.guard else None

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        positives, barred, tally = _compute_positive_cosines(job), self._find_unseen_documents(job), Counter[str]()
        takers = []
        for row in job.rows:
            judged = [name for name in row.columns.get("irrelevant", []) if name not in row["relevant"]][: self.count]
            rest = self._iter_allowed_candidates(row, self.margin * positives[row.id], {*barred, *row["relevant"], *judged}, tally)
            takers.append(_NegativeSelection(row, judged, rest))
        while due := [
            (taker, name) for taker in takers for name in islice(taker.remaining, self.count - len(taker.chosen))
        ]:
            for (taker, name), taken in zip(due, self._judge_candidates(job, due, tally), strict=True):
                if taken:
                    taker.chosen.append(name)
        for taker in takers:
            yield taker.row.with_columns(negatives=taker.chosen)
        self._report_negative_counts(job, tally, sum(len(taker.chosen) < self.count for taker in takers))

    def _find_unseen_documents(self, job: RowsJob) -> set[str]:
        """Documents of groups that training does not know: test rows' answers are among them."""
        known = {row.group for row in job.rows}
        documents = job.tables["documents"] if self.unseen == "skip" else {}
        return {name for name, document in documents.items() if document.group and document.group not in known}

    def _iter_allowed_candidates(self, row: Row, limit: float, barred: set[str], tally: Counter[str]) -> Iterator[str]:
        """The row's candidates that keep their distance, by the signal that is asked for; the others are counted."""
        cosines = dict(zip(row["candidates"], row["signals"]["cosine"], strict=True))
        names = list(cosines)
        if self.by != "hybrid":
            signal = dict(zip(row["candidates"], row["signals"][self.by], strict=True))
            names.sort(key=lambda name: -signal[name])
        for name in names[self.skip :]:
            if name in barred:
                continue
            if cosines[name] > limit:
                tally["close"] += 1
            else:
                yield name

    def _judge_candidates(self, job: RowsJob, due: Sequence[tuple[_NegativeSelection, str]], tally: Counter[str]) -> Iterator[bool]:
        """Whether each candidate may be taken: a judge that says yes, or nothing that counts, keeps it out."""
        if not self.guard:
            yield from (True for _ in due)
            return
        if job.task is None:
            raise ValueError("a judge is shown texts by the task's templates, and there is no task")
        templates, documents = job.task.get_templates(), job.tables["documents"]
        asks = (
            _build_relevance_request(
                render(templates["query"], taker.row.columns),
                render(templates["document"], documents[name].columns)[: self.reads],
            )
            for taker, name in due
        )
        for reply in job.get_teacher("judge").ask(asks, job.report):
            said = "failed" if reply.error else reply.text.strip()
            tally[said] += 1
            yield said == NO

    def _report_negative_counts(self, job: RowsJob, tally: Counter[str], short: int) -> None:
        job.report.note(
            f"{tally['close']} candidates refused as negatives: above {self.margin:.2f} of the positive's cosine; "
            f"{short} of {len(job.rows)} rows have fewer than {self.count}"
        )
        if self.guard:
            asked = tally[YES] + tally[NO] + tally["failed"]
            job.report.note(
                f"{tally[YES]} of {asked} candidates refused as negatives: the judge takes them for answers; "
                f"{tally['failed']} more, as it gave no answer", warning=tally["failed"] > 0,
            )


def _build_relevance_request(query: str, document: str) -> ChatRequest:
    said = Message("user", JUDGE_PROMPT.format(query=query, document=document))
    return ChatRequest((Message("system", JUDGE_SYSTEM), said), choices=(YES, NO), max_tokens=4)


def _compute_positive_cosines(job: RowsJob) -> dict[str, float]:
    """Row id → the cosine of its nearest relevant document; computed where the first stage did not find one."""
    known = {row.id: _get_listed_cosine(row) for row in job.rows}
    absent = [row for row in job.rows if known[row.id] is None]
    return {**{name: value for name, value in known.items() if value is not None}, **_compute_missing_cosines(job, absent)}


def _get_listed_cosine(row: Row) -> float | None:
    signals = dict(zip(row["candidates"], row["signals"]["cosine"], strict=True))
    return max((signals[name] for name in row["relevant"] if name in signals), default=None)


def _compute_missing_cosines(job: RowsJob, rows: list[Row]) -> dict[str, float]:
    """The same by embedding queries and relevant documents, for rows whose relevant documents no list holds."""
    documents = job.tables["documents"]
    pairs = [(row, documents[name]) for row in rows for name in row["relevant"] if name in documents]
    found = {row.id: -1.0 for row in rows}
    if not pairs:
        return found
    if job.base is None or job.task is None:
        raise ValueError("hard negatives need the base model: it gives the cosine of documents that no list holds")
    templates = job.task.get_templates()
    read = [
        (row.id, render(templates["query"], row.columns), render(templates["document"], document.columns))
        for row, document in pairs
    ]
    texts = list(dict.fromkeys(text for _, *both in read for text in both))
    vectors = job.kit.embed(job.base, texts, report=job.report)
    at = {text: vectors[i] for i, text in enumerate(texts)}
    for name, query, document in read:
        found[name] = max(found[name], float(at[query] @ at[document]))
    return found
