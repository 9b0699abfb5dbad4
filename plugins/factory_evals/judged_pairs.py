"""Pairs of answers before a judge: each is shown in both orders, and asked about once."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from factory.api import ChatRequest, Message, Reporter, Teacher

FIRST, SECOND = "A", "B"
SYSTEM = "You compare two answers to the same request and say which one is better. Reply with A or B alone."
PROMPT = """\
{request}

Answer A:
{first}

Answer B:
{second}

{criteria}Which answer is better, A or B?"""


@dataclass(frozen=True)
class AnswerPair:
    """An answer and another one to the same request; `criteria` say what makes an answer good, in the user's words."""

    request: str
    answer: str
    other: str
    criteria: str = ""

    @property
    def is_same_text(self) -> bool:
        """Whether there is nothing to judge."""
        return self.answer.strip() == self.other.strip()

    def build_requests(self) -> tuple[ChatRequest, ChatRequest]:
        """Return the question to the judge in both orders, the answer first and then second."""
        return (self._build_request(self.answer, self.other), self._build_request(self.other, self.answer))

    def _build_request(self, first: str, second: str) -> ChatRequest:
        criteria = f"{self.criteria.strip()}\n\n" if self.criteria.strip() else ""
        text = PROMPT.format(request=self.request, first=first, second=second, criteria=criteria)
        return ChatRequest((Message("system", SYSTEM), Message("user", text)), choices=(FIRST, SECOND), max_tokens=4)


@dataclass(frozen=True)
class JudgedPair:
    """A pair with the judge's replies to both orders: whether each prefers the answer shown first, None if it failed.

    A pair of one text has no replies, and is a tie.
    """

    pair: AnswerPair
    prefers_first: tuple[bool | None, ...] = ()

    @cached_property
    def win(self) -> float:
        """1.0 if the answer wins in both orders, 0.0 if the other one does, and 0.5 for everything else."""
        if len(self.valid_votes) < 2:
            return 0.5
        return (float(self.valid_votes[0]) + float(not self.valid_votes[1])) / 2

    @property
    def valid_votes(self) -> list[bool]:
        """The replies that are valid."""
        return [vote for vote in self.prefers_first if vote is not None]

    @property
    def is_decided_by_position(self) -> bool:
        """Whether the judge prefers the same place in both orders, whatever stands there."""
        return len(self.valid_votes) == 2 and self.valid_votes[0] == self.valid_votes[1]

    @property
    def length_difference(self) -> int:
        """By how many characters the answer is longer than the other one."""
        return len(self.pair.answer) - len(self.pair.other)


def judge_pairs(
    pairs: Sequence[AnswerPair], judge: Teacher, report: Reporter, known: MutableMapping[AnswerPair, JudgedPair]
) -> list[JudgedPair]:
    """Return what the judge says of each pair; `known` are pairs that it judged, to which the new ones are added.

    Raises ValueError if no reply to any new pair is valid.
    """
    new = [pair for pair in dict.fromkeys(pairs) if pair not in known and not pair.is_same_text]
    replies = judge.ask((request for pair in new for request in pair.build_requests()), report)
    errors = []
    for pair in new:
        votes: list[bool | None] = []
        for reply in (next(replies), next(replies)):
            errors += [reply.error] if reply.error else []
            votes.append(None if reply.error else reply.text.strip() == FIRST)
        known[pair] = JudgedPair(pair, tuple(votes))
    if new and len(errors) == 2 * len(new):
        raise ValueError(f"the judge {judge.model!r} has no valid answer to any of {len(new)} pairs: {errors[0]}")
    return [JudgedPair(pair) if pair.is_same_text else known[pair] for pair in pairs]


def iterate_asked(judged: Sequence[JudgedPair]) -> Iterator[JudgedPair]:
    """Yield the pairs with a valid reply to both orders."""
    return (each for each in judged if len(each.valid_votes) == 2)
