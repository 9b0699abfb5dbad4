"""Who judges: a model that is shown two documents in both orders, or a file of judgements that others made."""

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
    """One of two documents, as the judge reads it, and the query that it should answer."""

    query: str
    document: str


@dataclass(frozen=True, slots=True)
class PairJudgement:
    """The share of document `a` against `b`; `other` is the query of `b`, where that is not `query`."""

    query: str
    a: str
    b: str
    share: float
    other_query: str = ""


@dataclass(slots=True)
class PairwiseJudge:
    """A model that judges, and what it did: requests, how many failed, and pairs that it decided by place alone."""

    teacher: Teacher
    report: Reporter
    request_count: int = 0
    failed_count: int = 0
    judged_count: int = 0
    position_decided_count: int = 0

    def judge(self, pairs: Sequence[tuple[JudgedDocument, JudgedDocument]]) -> Iterator[float | None]:
        """Yield the share of the first of each pair: both orders are asked, and their mean cancels a bias to a place.

        A pair whose requests both failed has no share.
        """
        replies = self.teacher.ask((ask for pair in pairs for ask in build_both_orders(*pair)), self.report)
        for _ in pairs:
            votes = [_parse_judge_vote(next(replies), wins) for wins in (FIRST, SECOND)]
            valid = [vote for vote in votes if vote is not None]
            self.request_count += 2
            self.failed_count += 2 - len(valid)
            self.judged_count += bool(valid)
            self.position_decided_count += len(set(valid)) == 2
            yield sum(valid) / len(valid) if valid else None


def build_both_orders(one: JudgedDocument, other: JudgedDocument) -> tuple[ChatRequest, ChatRequest]:
    """The two requests of a pair: `one` stands first, then second."""
    return _build_comparison_request(one, other), _build_comparison_request(other, one)


def _build_comparison_request(first: JudgedDocument, second: JudgedDocument) -> ChatRequest:
    template = WITHIN_QUERY_PROMPT if first.query == second.query else BETWEEN_QUERIES_PROMPT
    said = template.format(query=first.query, other=second.query, a=first.document, b=second.document)
    return ChatRequest((Message("system", SYSTEM), Message("user", said)), choices=(FIRST, SECOND), max_tokens=4)


def _parse_judge_vote(reply: Any, wins: str) -> float | None:
    return None if reply.failed else float(reply.text.strip() == wins)


def read_judgements(path: Path, job: Job) -> Iterator[PairJudgement]:
    """Judgements from a file: `query_id`, `a`, `b`, and `p`, the share of a, or `winner`, one of both or `tie`.

    `b_query_id` says that b was judged for another query. A record that is wrong is told to `job.bad`.
    """
    for number, record in read_numbered_jsonl(job.root / path, str(path)):
        where = f"{path}:{number}"
        try:
            query, a, b = (_require_record_id(record, field) for field in ("query_id", "a", "b"))
            other = _require_record_id(record, "b_query_id") if "b_query_id" in record else ""
            if (query, a) == (other or query, b):
                raise ValueError(f"b: {b!r} is compared with itself")
            found = PairJudgement(query, a, b, _parse_win_share(record, a, b), "" if other == query else other)
        except ValueError as error:
            job.report_bad_record(f"{where}: {error}")
            continue
        yield found


def _require_record_id(record: dict[str, Any], field: str) -> str:
    if field not in record:
        raise ValueError(f"{field}: no such field; there are {', '.join(sorted(record)) or 'none'}")
    value = record[field]
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{field}: {value!r} where an id is wanted")
    return str(value)


def _parse_win_share(record: dict[str, Any], a: str, b: str) -> float:
    if "p" in record:
        share = record["p"]
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"p: {share!r} where a share from 0 to 1 is wanted")
        return float(share)
    if "winner" not in record:
        raise ValueError("p: no such field, and no winner either")
    shares = {"a": 1.0, "b": 0.0, "tie": 0.5, a: 1.0, b: 0.0}
    winner = str(record["winner"])
    if winner not in shares:
        raise ValueError(f"winner: {winner!r} is neither {a!r} nor {b!r} nor tie")
    return shares[winner]


def describe_judge_work(judge: PairwiseJudge, model: str) -> str:
    """What a judge did, in words."""
    return (
        f"{judge.judged_count} pairs judged by {model} in {judge.request_count} requests, {judge.failed_count} of which failed; "
        f"{judge.position_decided_count} pairs were decided by place alone and count as ties"
    )

