"""A teacher on this machine: a causal base that generates text, or scores the choices of a request."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random

from pydantic import BaseModel

from factory.api import Base, ChatRequest, ChatResponse, Decoder, Grammar, Kit, Message, NoOpReporter, Reporter
from factory.llm import prompts
from factory.llm.cache_stats import TeacherStats, build_replay_error
from factory.llm.ledger import Ledger
from factory.llm.response_cache import ResponseCache
from factory.network_policy import get_current_actor

Ids = Sequence[Sequence[int]]
MAX_GROUP_SIZE = 48
"""Requests that are answered in one batch; a killed process loses at most one batch."""
LOCAL_TEACHER_VERSION = 3
"""Part of every request key: bump it by hand when the same base would answer differently."""


@dataclass(frozen=True, slots=True)
class _PendingRequest:
    """A request that is not in the cache."""

    key: str
    request: ChatRequest
    messages: tuple[Message, ...]

    @property
    def seed(self) -> int:
        """The sampling seed; the key includes `sample_index`, so every sample has its own."""
        return int(self.key[:15], 16)


@dataclass(frozen=True, slots=True)
class _RawCompletion:
    """The output of the model for one request, or a `fault` if there is none."""

    text: str
    tokens_in: int
    tokens_out: int
    ended: bool = True
    fault: str = ""


@dataclass
class LocalTeacher:
    """A base as a teacher. Equal requests get equal answers, sampled ones included."""

    base: Base
    kit: Callable[[], Kit]
    response_cache: ResponseCache
    ledger: Ledger
    stats: TeacherStats = field(default_factory=TeacherStats)

    @property
    def model(self) -> str:
        return self.base.id

    def ask(self, asks: Iterable[ChatRequest], report: Reporter | None = None) -> Iterator[ChatResponse]:
        """Yield one reply per request, in order. Identical requests are answered once."""
        reporter = report or NoOpReporter()
        identity = {"kind": "local", "version": LOCAL_TEACHER_VERSION, "base": self.base.digest}
        requests = list(asks)
        order = [prompts.compute_request_key(request, identity) for request in requests]
        replies: dict[str, ChatResponse] = {}
        missing: list[_PendingRequest] = []
        for key, request in dict(zip(order, requests, strict=True)).items():
            if (reply := self.response_cache.find_reply(request, key)) is not None:
                replies[key] = reply
                self.stats.add(cached=1)
            elif self.ledger.terms.replay:
                raise build_replay_error(self.model, request, key)
            else:
                missing.append(_PendingRequest(key, request, prompts.add_format_instructions(request)))
        for group in _group_by_settings(missing):
            for reply in self._answer_group(group):
                replies[reply.prompt_digest] = reply
            reporter.report_progress(len(replies), len(set(order)), "answers")
        yield from (replies[key] for key in order)

    def _answer_group(self, group: Sequence[_PendingRequest]) -> Iterator[ChatResponse]:
        """Answer requests of equal settings; those with an invalid answer get one repair round, as a batch."""
        replies = self._run_answer_round(group, {})
        faulty = [
            replace(pending, messages=prompts.build_repair_messages(pending.request, reply.text, reply.error))
            for pending, reply in zip(group, replies, strict=True) if reply.error and pending.request.schema
        ]
        if faulty:
            self.stats.add(repaired=len(faulty))
            first = {reply.prompt_digest: reply for reply in replies}
            repaired = {reply.prompt_digest: reply for reply in self._run_answer_round(faulty, first)}
            replies = [repaired.get(reply.prompt_digest, reply) for reply in replies]
        for reply in replies:
            self.stats.count_reply(reply)
            yield reply

    def _run_answer_round(self, group: Sequence[_PendingRequest], first: dict[str, ChatResponse]) -> list[ChatResponse]:
        """Return one reply per request; tokens and seconds include those of its `first` round, if any."""
        self.ledger.check_budget()
        actor = get_current_actor()
        attempts = [self.ledger.record_attempt(key=item.key, model=self.model, host="", by=actor) for item in group]
        start = time.monotonic()
        completions = self._generate_completions(group)
        seconds = round((time.monotonic() - start) / len(group), 3)
        replies = []
        for pending, completion, attempt in zip(group, completions, attempts, strict=True):
            reply = self._build_local_reply(pending, completion, seconds, first.get(pending.key))
            if not reply.error:
                self.response_cache.write_reply(reply)
            status = "ok" if not reply.error else "invalid" if completion.ended else "truncated"
            self.ledger.record_attempt_end(
                attempt, status, key=pending.key, tokens_in=completion.tokens_in, tokens_out=completion.tokens_out,
                cost=0.0, seconds=seconds,
            )
            replies.append(reply)
        return replies

    def _build_local_reply(
        self, pending: _PendingRequest, completion: _RawCompletion, seconds: float, first: ChatResponse | None
    ) -> ChatResponse:
        tokens_in, tokens_out = completion.tokens_in, completion.tokens_out
        if first is not None:
            tokens_in, tokens_out = tokens_in + first.input_tokens, tokens_out + first.output_tokens
            seconds = round(seconds + first.seconds, 3)
        text, value, fault = completion.text, None, completion.fault
        if not completion.ended:
            fault = f"the answer was cut off at {pending.request.max_tokens} tokens"
        if not fault:
            try:
                text, value = prompts.parse_answer(pending.request, completion.text)
            except prompts.InvalidAnswerError as error:
                fault = str(error)
        return ChatResponse(
            text, value, fault, model=self.model, prompt_digest=pending.key, input_tokens=tokens_in,
            output_tokens=tokens_out, seconds=seconds,
        )

    def _generate_completions(self, group: Sequence[_PendingRequest]) -> list[_RawCompletion]:
        """Return one completion per request; a request that exceeds the context window gets a fault instead."""
        decoder = self.kit().load_decoder(self.base)
        prompt_ids = [decoder.tokenize_chat(pending.messages) for pending in group]
        window = int(getattr(decoder.model.config, "max_position_embeddings", 0)) or sys.maxsize
        reserved = [0 if pending.request.choices else pending.request.max_tokens for pending in group]
        fits = [len(ids) + tokens <= window for ids, tokens in zip(prompt_ids, reserved, strict=True)]
        fitting = [index for index, fit in enumerate(fits) if fit]
        too_long = _RawCompletion("", 0, 0, fault=f"prompt and answer exceed the context window of {window} tokens")
        complete = self._pick_choices if group[0].request.choices else self._sample_completions
        requests, prompts = [group[index] for index in fitting], [prompt_ids[index] for index in fitting]
        completions = iter(complete(decoder, requests, prompts) if fitting else ())
        return [next(completions) if fit else too_long for fit in fits]

    def _pick_choices(self, decoder: Decoder, group: Sequence[_PendingRequest], prompts: Ids) -> list[_RawCompletion]:
        """Pick the most likely choice of each request or, above temperature 0, sample one."""
        choice_ids = [[decoder.tokenize_answer(choice) for choice in pending.request.choices] for pending in group]
        logprobs = decoder.compute_choice_logprobs(prompts, choice_ids)
        completions = []
        for pending, prompt, ids, row in zip(group, prompts, choice_ids, logprobs, strict=True):
            pick = _sample_choice_index(row, pending.request.temperature, pending.seed)
            completions.append(_RawCompletion(pending.request.choices[pick], len(prompt), len(ids[pick])))
        return completions

    def _sample_completions(
        self, decoder: Decoder, group: Sequence[_PendingRequest], prompts: Ids
    ) -> list[_RawCompletion]:
        first, seeds = group[0].request, [pending.seed for pending in group]
        schemas = [pending.request.schema for pending in group]
        grammars = [build_schema_grammar(schema) if schema else None for schema in schemas]
        generations = decoder.generate_texts(
            prompts, first.max_tokens, grammars, temperature=first.temperature, seeds=seeds
        )
        return [
            _RawCompletion(generation.text, len(prompt), generation.tokens, generation.finished)
            for prompt, generation in zip(prompts, generations, strict=True)
        ]


@cache
def build_schema_grammar(schema: type[BaseModel]) -> Grammar | None:
    """Return the grammar of a schema; None for one that llguidance cannot express, whose answers are only validated."""
    grammar = Grammar(json.dumps(schema.model_json_schema()), "json-schema")
    try:
        grammar.accepts("")
    except ValueError:
        return None
    return grammar


def _group_by_settings(requests: Sequence[_PendingRequest]) -> Iterator[list[_PendingRequest]]:
    """Yield groups of at most MAX_GROUP_SIZE requests with equal decoding settings."""
    groups: dict[tuple[bool, float, int], list[_PendingRequest]] = {}
    for pending in requests:
        settings = (bool(pending.request.choices), pending.request.temperature, pending.request.max_tokens)
        groups.setdefault(settings, []).append(pending)
    for group in groups.values():
        for start in range(0, len(group), MAX_GROUP_SIZE):
            yield group[start : start + MAX_GROUP_SIZE]


def _sample_choice_index(logprobs: Sequence[float], temperature: float, seed: int) -> int:
    """Return the index of the greatest log-probability or, above temperature 0, a sample (the Gumbel-max trick)."""
    if temperature > 0:
        generator = Random(seed)
        logprobs = [value / temperature - math.log(-math.log(1 - generator.random())) for value in logprobs]
    return max(range(len(logprobs)), key=lambda index: logprobs[index])
