"""A teacher on this machine: a causal base that writes, or weighs the answers that there are."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from factory.api import ChatRequest, Base, Decoder, Guide, Kit, Message, ChatResponse, Reporter, NoOpReporter
from factory.teach import request
from factory.teach.cached import Counts, cached, keep, miss
from factory.teach.calls import Calls
from factory.teach.guide import guide
from factory.teach.ledger import Ledger
from factory.teach.perimeter import who

Ids = Sequence[Sequence[int]]
AT_ONCE = 48
"""Requests that are answered together, and lost together when the process is killed."""
VERSION = 1
"""Bumped by hand when the same base would answer otherwise."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request that is not in the cache."""

    key: str
    ask: ChatRequest
    messages: tuple[Message, ...]

    @property
    def seed(self) -> int:
        """What its sampling starts from: another for every draw."""
        return int(self.key[:15], 16)


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What the model said to one request."""

    text: str
    tokens_in: int
    tokens_out: int
    ended: bool = True
    fault: str = ""


@dataclass
class Local:
    """A base as a teacher. The same request gets the same answer, sampled or not."""

    base: Base
    kit: Callable[[], Kit]
    calls: Calls
    ledger: Ledger
    counts: Counts = field(default_factory=Counts)

    @property
    def model(self) -> str:
        return self.base.id

    def ask(self, asks: Iterable[ChatRequest], report: Reporter | None = None) -> Iterator[ChatResponse]:
        """Yield one reply for each request, in their order. Requests that are alike are asked once."""
        voice, known = report or NoOpReporter(), {"kind": "local", "version": VERSION, "base": self.base.digest}
        asked = list(asks)
        order = [request.key(each, known) for each in asked]
        replies: dict[str, ChatResponse] = {}
        missing: list[_Wanted] = []
        for key, ask in dict(zip(order, asked, strict=True)).items():
            found = cached(self.calls, ask, key)
            if found is not None:
                replies[key] = found
                self.counts.add(cached=1)
            elif self.ledger.terms.replay:
                raise miss(self.model, ask, key)
            else:
                missing.append(_Wanted(key, ask, request.instructed(ask)))
        for group in _alike(missing):
            for reply in self._group(group):
                replies[reply.prompt_digest] = reply
            voice.report_progress(len(replies), len(set(order)), "answers")
        yield from (replies[key] for key in order)

    def _group(self, group: Sequence[_Wanted]) -> Iterator[ChatResponse]:
        """Answer requests of one shape; those that fail are repaired once, together."""
        replies = self._round(group, {})
        faulty = [
            _Wanted(each.key, each.ask, request.repairing(each.ask, reply.text, reply.error))
            for each, reply in zip(group, replies, strict=True) if reply.error and each.ask.schema
        ]
        if faulty:
            self.counts.add(repaired=len(faulty))
            first = {reply.prompt_digest: reply for reply in replies}
            again = {reply.prompt_digest: reply for reply in self._round(faulty, first)}
            replies = [again.get(reply.prompt_digest, reply) for reply in replies]
        for reply in replies:
            self.counts.heard(reply)
            yield reply

    def _round(self, group: Sequence[_Wanted], first: dict[str, ChatResponse]) -> list[ChatResponse]:
        """One answer each, on top of what a first round took."""
        self.ledger.check()
        attempts = [self.ledger.sent(key=each.key, model=self.model, host="", by=who()) for each in group]
        start = time.monotonic()
        spoken = self._spoken(group)
        seconds = round((time.monotonic() - start) / len(group), 3)
        replies = []
        for each, said, attempt in zip(group, spoken, attempts, strict=True):
            reply = self._judged(each, said, seconds, first.get(each.key))
            if not reply.error:
                keep(self.calls, reply)
            status = "ok" if not reply.error else "invalid" if said.ended else "truncated"
            self.ledger.over(
                attempt, status, key=each.key, tokens_in=said.tokens_in, tokens_out=said.tokens_out, cost=0.0,
                seconds=seconds,
            )
            replies.append(reply)
        return replies

    def _judged(self, wanted: _Wanted, said: _Spoken, seconds: float, before: ChatResponse | None) -> ChatResponse:
        tokens_in, tokens_out = said.tokens_in, said.tokens_out
        if before is not None:
            tokens_in, tokens_out = tokens_in + before.input_tokens, tokens_out + before.output_tokens
            seconds = round(seconds + before.seconds, 3)
        text, value, fault = said.text, None, said.fault
        if not said.ended:
            fault = f"the answer was cut off at {wanted.ask.max_tokens} tokens"
        if not fault:
            try:
                text, value = request.settled(wanted.ask, said.text)
            except request.InvalidAnswerError as error:
                fault = str(error)
        return ChatResponse(
            text, value, fault, model=self.model, prompt_digest=wanted.key, input_tokens=tokens_in, output_tokens=tokens_out,
            seconds=seconds,
        )

    def _spoken(self, group: Sequence[_Wanted]) -> list[_Spoken]:
        """What the model says; nothing to a request that it can not read to its end."""
        decoder = self.kit().load_decoder(self.base)
        prompts = [decoder.tokenize_chat(each.messages) for each in group]
        most = int(getattr(decoder.model.config, "max_position_embeddings", 0)) or sys.maxsize
        wanted = [0 if each.ask.choices else each.ask.max_tokens for each in group]
        fits = [len(prompt) + tokens <= most for prompt, tokens in zip(prompts, wanted, strict=True)]
        fitting = [place for place, fit in enumerate(fits) if fit]
        long = _Spoken("", 0, 0, fault=f"too long: the model reads {most} tokens, those of its answer included")
        speak = self._weighed if group[0].ask.choices else self._written
        said = iter(speak(decoder, [group[n] for n in fitting], [prompts[n] for n in fitting]) if fitting else ())
        return [next(said) if fit else long for fit in fits]

    def _weighed(self, decoder: Decoder, group: Sequence[_Wanted], prompts: Ids) -> list[_Spoken]:
        """The likeliest choice, or one drawn by how likely each is."""
        said = [[decoder.tokenize_answer(choice) for choice in each.ask.choices] for each in group]
        weights = decoder.compute_choice_logprobs(prompts, said)
        places = [_drawn(row, each.ask.temperature, each.seed) for row, each in zip(weights, group, strict=True)]
        return [
            _Spoken(each.ask.choices[place], len(prompt), len(ids[place]))
            for each, place, prompt, ids in zip(group, places, prompts, said, strict=True)
        ]

    def _written(self, decoder: Decoder, group: Sequence[_Wanted], prompts: Ids) -> list[_Spoken]:
        ask = group[0].ask
        guides: list[Guide | None] = [guide(each.ask.schema) if each.ask.schema else None for each in group]
        written = decoder.sample_texts(prompts, ask.max_tokens, guides, ask.temperature, [each.seed for each in group])
        return [
            _Spoken(said.text, len(prompt), said.tokens, said.finished)
            for prompt, said in zip(prompts, written, strict=True)
        ]


def _alike(wanted: Sequence[_Wanted]) -> Iterator[list[_Wanted]]:
    """The requests in groups that one pass of the model can answer."""
    shapes: dict[tuple[bool, float, int], list[_Wanted]] = {}
    for each in wanted:
        shapes.setdefault((bool(each.ask.choices), each.ask.temperature, each.ask.max_tokens), []).append(each)
    for group in shapes.values():
        for start in range(0, len(group), AT_ONCE):
            yield group[start : start + AT_ONCE]


def _drawn(weights: Sequence[float], temperature: float, seed: int) -> int:
    """The place of the greatest log-probability or, above temperature 0, one drawn by them (the Gumbel-max trick)."""
    if temperature > 0:
        draw = Random(seed)
        weights = [weight / temperature - math.log(-math.log(1 - draw.random())) for weight in weights]
    return max(range(len(weights)), key=lambda place: weights[place])
