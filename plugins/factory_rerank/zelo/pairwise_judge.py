"""Pairwise judgements: from a model that sees two documents in both orders, or from a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.api import ChatRequest, Job, Message, Reporter, Teacher, read_numbered_jsonl

FIRST, SECOND = "A", "B"
SYSTEM = "You judge search results. You are shown two documents and say which one is better. Answer with A or B alone."
WITHIN_QUERY_PROMPT = """\
Query: {query}

Document A:
{a}

Document B:
{b}

Which document answers the query better, A or B?"""
BETWEEN_QUERIES_PROMPT = """\
Query A: {query}

Document A:
{a}

Query B: {other}

Document B:
{b}

Each document was found for its own query. Which one answers its own query better, A or B?"""
PROMPTS = (SYSTEM, WITHIN_QUERY_PROMPT, BETWEEN_QUERIES_PROMPT)


@dataclass(frozen=True, slots=True)
class JudgedDocument:
    """A document as shown to the judge, with the query that it should answer."""

    query: str
    document: str


@dataclass(frozen=True, slots=True)
class PairJudgement:
    """The winning share of document `a` against `b`; `other_query` is the query of `b` if it differs from `query`."""

    query: str
    a: str
    b: str
    share: float
    other_query: str = ""


@dataclass(slots=True)
class PairwiseJudge:
    """A judge model, with counts of requests, failures, judged pairs, and pairs decided by position alone."""

    teacher: Teacher
    report: Reporter
    request_count: int = 0
    failed_count: int = 0
    judged_count: int = 0
    position_decided_count: int = 0

    def judge(self, pairs: Sequence[tuple[JudgedDocument, JudgedDocument]]) -> Iterator[float | None]:
        """Yield the first document's share for each pair; asking both orders cancels position bias.

        The share is None if both requests failed.
        """
        requests = (_build_comparison_request(*order) for a, b in pairs for order in ((a, b), (b, a)))
        replies = self.teacher.ask(requests, self.report)
        for _ in pairs:
            votes = [(next(replies), label) for label in (FIRST, SECOND)]
            valid = [float(reply.text.strip() == label) for reply, label in votes if not reply.error]
            self.request_count += 2
            self.failed_count += 2 - len(valid)
            self.judged_count += bool(valid)
            self.position_decided_count += len(set(valid)) == 2
            yield sum(valid) / len(valid) if valid else None


def _build_comparison_request(first: JudgedDocument, second: JudgedDocument) -> ChatRequest:
    template = WITHIN_QUERY_PROMPT if first.query == second.query else BETWEEN_QUERIES_PROMPT
    question = template.format(query=first.query, other=second.query, a=first.document, b=second.document)
    return ChatRequest((Message("system", SYSTEM), Message("user", question)), choices=(FIRST, SECOND), max_tokens=4)


def read_judgements(path: Path, job: Job) -> Iterator[PairJudgement]:
    """Read judgements: `query_id`, `a`, `b`, and `p` (the share of a) or `winner` (a document or `tie`).

    `b_query_id` is set if b was judged for another query. An invalid record is reported as a bad record.
    """
    for number, record in read_numbered_jsonl(job.root / path, str(path)):
        try:
            query, a, b = (_require_record_id(record, field) for field in ("query_id", "a", "b"))
            other = _require_record_id(record, "b_query_id") if "b_query_id" in record else ""
            if (query, a) == (other or query, b):
                raise ValueError(f"b: {b!r} is compared with itself")
            judgement = PairJudgement(query, a, b, _parse_win_share(record, a, b), "" if other == query else other)
        except ValueError as error:
            job.report_bad_record(f"{path}:{number}: {error}")
            continue
        yield judgement


def _require_record_id(record: dict[str, Any], field: str) -> str:
    if field not in record:
        raise ValueError(f"{field}: no such field; available: {', '.join(sorted(record)) or 'none'}")
    value = record[field]
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{field}: expected an id, got {value!r}")
    return str(value)


def _parse_win_share(record: dict[str, Any], a: str, b: str) -> float:
    if "p" in record:
        share = record["p"]
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"p: expected a share from 0 to 1, got {share!r}")
        return float(share)
    if "winner" not in record:
        raise ValueError("p: no such field; a judgement needs p or winner")
    shares = {"a": 1.0, "b": 0.0, "tie": 0.5, a: 1.0, b: 0.0}
    winner = str(record["winner"])
    if winner not in shares:
        raise ValueError(f"winner: expected {a!r}, {b!r} or 'tie', got {winner!r}")
    return shares[winner]


def describe_judge_work(judge: PairwiseJudge, model: str) -> str:
    """Summarise the judge's requests in one line."""
    return (
        f"pairs judged by {model}: {judge.judged_count}; requests: {judge.request_count}, failed: {judge.failed_count};"
        f" decided by position alone, so counted as ties: {judge.position_decided_count}"
    )
