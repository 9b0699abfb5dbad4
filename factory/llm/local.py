"""A teacher on this machine: a causal base that writes, or weighs the answers that there are."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from factory.api import Base, ChatRequest, ChatResponse, Decoder, Guide, Kit, Message, NoOpReporter, Reporter
from factory.llm import prompts
from factory.llm.cache_stats import TeacherStats, build_replay_error, cache_reply, find_cached_reply
from factory.llm.ledger import Ledger
from factory.llm.response_cache import ResponseCache
from factory.llm.schema_regex import compile_schema_guide
from factory.network_policy import get_current_actor

Ids = Sequence[Sequence[int]]
MAX_GROUP_SIZE = 48
"""Requests that are answered together, and lost together when the process is killed."""
LOCAL_TEACHER_VERSION = 1
"""Bumped by hand when the same base would answer otherwise."""


@dataclass(frozen=True, slots=True)
class _PendingRequest:
    """A request that is not in the cache."""

    key: str
    ask: ChatRequest
    messages: tuple[Message, ...]

    @property
    def seed(self) -> int:
        """What its sampling starts from: another for every draw."""
        return int(self.key[:15], 16)


@dataclass(frozen=True, slots=True)
class _RawCompletion:
    """What the model said to one request."""

    text: str
    tokens_in: int
    tokens_out: int
    ended: bool = True
    fault: str = ""


@dataclass
class LocalTeacher:
    """A base as a teacher. The same request gets the same answer, sampled or not."""

    base: Base
    kit: Callable[[], Kit]
    response_cache: ResponseCache
    ledger: Ledger
    stats: TeacherStats = field(default_factory=TeacherStats)

    @property
    def model(self) -> str:
        return self.base.id

    def ask(self, asks: Iterable[ChatRequest], report: Reporter | None = None) -> Iterator[ChatResponse]:
        """Yield one reply for each request, in their order. Requests that are alike are asked once."""
        voice, known = report or NoOpReporter(), {"kind": "local", "version": LOCAL_TEACHER_VERSION, "base": self.base.digest}
        asked = list(asks)
        order = [prompts.compute_request_key(each, known) for each in asked]
        replies: dict[str, ChatResponse] = {}
        missing: list[_PendingRequest] = []
        for key, ask in dict(zip(order, asked, strict=True)).items():
            found = find_cached_reply(self.response_cache, ask, key)
            if found is not None:
                replies[key] = found
                self.stats.add(cached=1)
            elif self.ledger.terms.replay:
                raise build_replay_error(self.model, ask, key)
            else:
                missing.append(_PendingRequest(key, ask, prompts.add_format_instructions(ask)))
        for group in _group_by_settings(missing):
            for reply in self._answer_group(group):
                replies[reply.prompt_digest] = reply
            voice.report_progress(len(replies), len(set(order)), "answers")
        yield from (replies[key] for key in order)

    def _answer_group(self, group: Sequence[_PendingRequest]) -> Iterator[ChatResponse]:
        """Answer requests of one shape; those that fail are repaired once, together."""
        replies = self._run_answer_round(group, {})
        faulty = [
            _PendingRequest(each.key, each.ask, prompts.build_repair_messages(each.ask, reply.text, reply.error))
            for each, reply in zip(group, replies, strict=True) if reply.error and each.ask.schema
        ]
        if faulty:
            self.stats.add(repaired=len(faulty))
            first = {reply.prompt_digest: reply for reply in replies}
            again = {reply.prompt_digest: reply for reply in self._run_answer_round(faulty, first)}
            replies = [again.get(reply.prompt_digest, reply) for reply in replies]
        for reply in replies:
            self.stats.count_reply(reply)
            yield reply

    def _run_answer_round(self, group: Sequence[_PendingRequest], first: dict[str, ChatResponse]) -> list[ChatResponse]:
        """One answer each, on top of what a first round took."""
        self.ledger.check_budget()
        attempts = [self.ledger.record_attempt(key=each.key, model=self.model, host="", by=get_current_actor()) for each in group]
        start = time.monotonic()
        spoken = self._generate_completions(group)
        seconds = round((time.monotonic() - start) / len(group), 3)
        replies = []
        for each, said, attempt in zip(group, spoken, attempts, strict=True):
            reply = self._build_local_reply(each, said, seconds, first.get(each.key))
            if not reply.error:
                cache_reply(self.response_cache, reply)
            status = "ok" if not reply.error else "invalid" if said.ended else "truncated"
            self.ledger.record_attempt_end(
                attempt, status, key=each.key, tokens_in=said.tokens_in, tokens_out=said.tokens_out, cost=0.0,
                seconds=seconds,
            )
            replies.append(reply)
        return replies

    def _build_local_reply(self, wanted: _PendingRequest, said: _RawCompletion, seconds: float, before: ChatResponse | None) -> ChatResponse:
        tokens_in, tokens_out = said.tokens_in, said.tokens_out
        if before is not None:
            tokens_in, tokens_out = tokens_in + before.input_tokens, tokens_out + before.output_tokens
            seconds = round(seconds + before.seconds, 3)
        text, value, fault = said.text, None, said.fault
        if not said.ended:
            fault = f"the answer was cut off at {wanted.ask.max_tokens} tokens"
        if not fault:
            try:
                text, value = prompts.parse_answer(wanted.ask, said.text)
            except prompts.InvalidAnswerError as error:
                fault = str(error)
        return ChatResponse(
            text, value, fault, model=self.model, prompt_digest=wanted.key, input_tokens=tokens_in, output_tokens=tokens_out,
            seconds=seconds,
        )

    def _generate_completions(self, group: Sequence[_PendingRequest]) -> list[_RawCompletion]:
        """What the model says; nothing to a request that it can not read to its end."""
        decoder = self.kit().load_decoder(self.base)
        prompts = [decoder.tokenize_chat(each.messages) for each in group]
        most = int(getattr(decoder.model.config, "max_position_embeddings", 0)) or sys.maxsize
        wanted = [0 if each.ask.choices else each.ask.max_tokens for each in group]
        fits = [len(prompt) + tokens <= most for prompt, tokens in zip(prompts, wanted, strict=True)]
        fitting = [place for place, fit in enumerate(fits) if fit]
        long = _RawCompletion("", 0, 0, fault=f"too long: the model reads {most} tokens, those of its answer included")
        speak = self._pick_choices if group[0].ask.choices else self._sample_completions
        said = iter(speak(decoder, [group[n] for n in fitting], [prompts[n] for n in fitting]) if fitting else ())
        return [next(said) if fit else long for fit in fits]

    def _pick_choices(self, decoder: Decoder, group: Sequence[_PendingRequest], prompts: Ids) -> list[_RawCompletion]:
        """The likeliest choice, or one drawn by how likely each is."""
        said = [[decoder.tokenize_answer(choice) for choice in each.ask.choices] for each in group]
        weights = decoder.compute_choice_logprobs(prompts, said)
        places = [_sample_choice_index(row, each.ask.temperature, each.seed) for row, each in zip(weights, group, strict=True)]
        return [
            _RawCompletion(each.ask.choices[place], len(prompt), len(ids[place]))
            for each, place, prompt, ids in zip(group, places, prompts, said, strict=True)
        ]

    def _sample_completions(self, decoder: Decoder, group: Sequence[_PendingRequest], prompts: Ids) -> list[_RawCompletion]:
        ask = group[0].ask
        guides: list[Guide | None] = [compile_schema_guide(each.ask.schema) if each.ask.schema else None for each in group]
        written = decoder.sample_texts(prompts, ask.max_tokens, guides, ask.temperature, [each.seed for each in group])
        return [
            _RawCompletion(said.text, len(prompt), said.tokens, said.finished)
            for prompt, said in zip(prompts, written, strict=True)
        ]


def _group_by_settings(wanted: Sequence[_PendingRequest]) -> Iterator[list[_PendingRequest]]:
    """The requests in groups that one pass of the model can answer."""
    shapes: dict[tuple[bool, float, int], list[_PendingRequest]] = {}
    for each in wanted:
        shapes.setdefault((bool(each.ask.choices), each.ask.temperature, each.ask.max_tokens), []).append(each)
    for group in shapes.values():
        for start in range(0, len(group), MAX_GROUP_SIZE):
            yield group[start : start + MAX_GROUP_SIZE]


def _sample_choice_index(weights: Sequence[float], temperature: float, seed: int) -> int:
    """The place of the greatest log-probability or, above temperature 0, one drawn by them (the Gumbel-max trick)."""
    if temperature > 0:
        draw = Random(seed)
        weights = [weight / temperature - math.log(-math.log(1 - draw.random())) for weight in weights]
    return max(range(len(weights)), key=lambda place: weights[place])
