"""Base of the synthesizers that ask a teacher: requests, provenance, and cleaning of replies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from factory.api import ChatRequest, ChatResponse, Message, RowsJob, Synthesizer
from factory_synth.synthesis_common import Tally

T = TypeVar("T")

SAMPLES_PER_SEED = 10_000_000
"""Sample indices reserved for one seed."""

FENCED_TEXT = re.compile(r"\s*```[\w+-]*\n(.*?)(?:\n?```\s*)?", re.DOTALL)
CHATTY_PREAMBLE = re.compile(
    r"(?:(?:sure|certainly|of course|okay)\b[^\n:]{0,40}[,.!:]\s*)?"
    r"(?:here(?:['’]s| is| are)\b[^\n:]{0,60}:|the (?:answer|result|text)(?: is)?:)\s*", re.IGNORECASE,
)
"""How chatty models introduce their answer."""

REFUSAL_PATTERN = re.compile(
    r"\W*(?:(?:i['’]m|i am) sorry,? (?:but )?(?:i|as an)\b|as an ai\b"
    r"|i (?:can['’]t|cannot|am unable to|won['’]t) (?:help|assist|comply|fulfil|reword|rewrite|provide|answer)\b)",
    re.IGNORECASE,
)
"""How models begin a refusal."""

QUOTE_PAIRS = {'"': '"', "“": "”", "'": "'", "«": "»"}


class TeacherSynthesizer(Synthesizer):
    """A synthesizer that asks the spec's teacher; its `prompts` are part of the stage's key.

    Requests follow the order of rows, and answers are cached: an interrupted build resumes where it stopped, and a
    changed row costs only its own request.
    """

    prompts: ClassVar[tuple[str, ...]] = ()

    seed: int = Field(0, ge=0, description="random seed, also of the teacher's samples")
    max_tokens: int = Field(256, ge=1, description="maximum number of tokens per answer")

    def get_required_models(self) -> tuple[str, ...]:
        return ("teacher",)

    def compute_fingerprint(self) -> Any:
        """Return the prompts, so that rows are generated again when a prompt changes."""
        return {"prompts": list(self.prompts)}

    def build_teacher_request(
        self, system: str, user: str, sample_index: int = 0, shots: Iterable[Message] = (), **options: Any
    ) -> ChatRequest:
        """Build a request from a system message, few-shot turns and a user turn.

        `sample_index` separates requests with the same messages.
        """
        messages = (Message("system", system), *shots, Message("user", user))
        index = self.seed * SAMPLES_PER_SEED + sample_index
        return ChatRequest(messages, max_tokens=self.max_tokens, sample_index=index, **options)

    def build_provenance_detail(self, reply: ChatResponse, **more: Any) -> dict[str, Any]:
        """Return the model and request of a reply, for a row's provenance."""
        return {"model": reply.model, "prompt": reply.prompt_digest, "seed": self.seed, **more}


def ask_teacher(
    job: RowsJob, requests: Iterable[tuple[T, ChatRequest]], tally: Tally
) -> Iterator[tuple[T, ChatResponse]]:
    """Yield each item with the reply to its request, in order; failed and refused requests are counted and skipped."""
    pairs = list(requests)
    if not pairs:
        return
    replies = job.get_teacher().ask([request for _, request in pairs], job.report)
    for (item, request), reply in zip(pairs, replies, strict=True):
        if reply.error:
            tally.count_refusal(f"request failed: {reply.error.splitlines()[0][:60]}")
        elif request.schema is None and not request.choices and REFUSAL_PATTERN.match(reply.text):
            tally.count_refusal("declined by the teacher", reply.text)
        else:
            yield item, reply


def strip_chat_wrapping(text: str, prefix: str = "") -> str:
    """Strip what models put around an answer: a preamble, a code fence, the prompt's answer prefix, quotes."""
    text = text.strip()
    preamble = CHATTY_PREAMBLE.match(text)
    text = text[preamble.end() :] if preamble else text
    fenced = FENCED_TEXT.fullmatch(text)
    text = (fenced.group(1) if fenced else text).strip()
    if prefix and text.lower().startswith(prefix.lower()):
        text = text[len(prefix) :].strip()
    if len(text) > 1 and QUOTE_PAIRS.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return text
