"""Hard negatives: documents that the first stage took for answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from factory.api import Row, RowsJob, Synthesizer, render


class HardNegatives(Synthesizer):
    """Adds `negatives` to training rows: candidates that are not relevant, the first stage's best first.

    Unjudged is not irrelevant, so a candidate that comes too near to the positive's own cosine is refused (the
    positive-aware margin of NV-Retriever, arXiv:2407.15831). Documents that a person judged irrelevant come first, and
    need no margin. A row may get fewer than `count`.
    """

    kind = "hard-negatives"
    columns = ("query", "relevant", "candidates", "signals")
    gives = ("negatives",)

    count: int = Field(7, ge=1, le=100, description="negatives a row, at most")
    margin: float = Field(0.95, gt=0, le=2, description="share of the positive's cosine that a negative may reach")
    skip: int = Field(0, ge=0, description="first candidates of the list that are never taken")
    unseen: Literal["skip", "use"] = Field("skip", description="documents of a group that no training row has")

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        positives, barred = _positive_cosines(job), self._barred(job)
        refused = short = 0
        for row in job.rows:
            allowed, close = self._negatives(row, self.margin * positives[row.id], barred)
            refused += close
            short += len(allowed) < self.count
            yield row.having(negatives=allowed)
        job.report.note(
            f"{refused} candidates refused as negatives: above {self.margin:.2f} of the positive's cosine; "
            f"{short} of {len(job.rows)} rows have fewer than {self.count}"
        )

    def _barred(self, job: RowsJob) -> set[str]:
        """Documents of groups that training does not know: test rows' answers are among them."""
        known = {row.group for row in job.rows}
        documents = job.tables["documents"] if self.unseen == "skip" else {}
        return {name for name, document in documents.items() if document.group and document.group not in known}

    def _negatives(self, row: Row, limit: float, barred: set[str]) -> tuple[list[str], int]:
        """The row's negatives, and how many candidates were refused before there were enough."""
        judged = row.columns.get("irrelevant", [])
        chosen = [name for name in judged if name not in row["relevant"]][: self.count]
        refused = 0
        for name, cosine in list(zip(row["candidates"], row["signals"]["cosine"], strict=True))[self.skip :]:
            if len(chosen) == self.count:
                break
            if name in row["relevant"] or name in chosen or name in barred:
                continue
            if cosine > limit:
                refused += 1
            else:
                chosen.append(name)
        return chosen, refused


def _positive_cosines(job: RowsJob) -> dict[str, float]:
    """Row id → the cosine of its nearest relevant document; computed where the first stage did not find one."""
    known = {row.id: _listed(row) for row in job.rows}
    absent = [row for row in job.rows if known[row.id] is None]
    return {**{name: value for name, value in known.items() if value is not None}, **_computed(job, absent)}


def _listed(row: Row) -> float | None:
    signals = dict(zip(row["candidates"], row["signals"]["cosine"], strict=True))
    return max((signals[name] for name in row["relevant"] if name in signals), default=None)


def _computed(job: RowsJob, rows: list[Row]) -> dict[str, float]:
    """The same by embedding queries and relevant documents, for rows whose relevant documents no list holds."""
    documents = job.tables["documents"]
    pairs = [(row, documents[name]) for row in rows for name in row["relevant"] if name in documents]
    found = {row.id: -1.0 for row in rows}
    if not pairs:
        return found
    if job.base is None or job.task is None:
        raise ValueError("hard negatives need the base model: it gives the cosine of documents that no list holds")
    templates = job.task.templates()
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
