"""What synthesizers that ask a teacher share: requests beside what they are about, and how a prompt is put."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from factory.api import ChatRequest, ChatResponse, Message, RowsJob, Synthesizer
from factory_synth.synthesis_common import Tally

T = TypeVar("T")

SAMPLES_PER_SEED = 10_000_000
"""Draws that belong to one seed."""

FENCED_TEXT = re.compile(r"\s*```[\w+-]*\n(.*?)(?:\n?```\s*)?", re.DOTALL)
CHATTY_PREAMBLE = re.compile(
    r"(?:(?:sure|certainly|of course|okay)\b[^\n:]{0,40}[,.!:]\s*)?"
    r"(?:here(?:['’]s| is| are)\b[^\n:]{0,60}:|the (?:answer|result|text)(?: is)?:)\s*", re.IGNORECASE,
)
"""How a chatty model begins before it does what it was asked."""

REFUSAL_PATTERN = re.compile(
    r"\W*(?:(?:i['’]m|i am) sorry,? (?:but )?(?:i|as an)\b|as an ai\b"
    r"|i (?:can['’]t|cannot|am unable to|won['’]t) (?:help|assist|comply|fulfil|reword|rewrite|provide|answer)\b)",
    re.IGNORECASE,
)
"""How a model begins that does not do what it was asked."""

QUOTE_PAIRS = {'"': '"', "“": "”", "'": "'", "«": "»"}


class TeacherSynthesizer(Synthesizer):
    """A synthesizer that asks the spec's teacher. `prompts` are its words: they are part of the stage's key.

    Requests go out in the order of rows, and what was answered once comes from the cache: a build that was
    interrupted goes on where it was, and a row that changed costs its own request alone.
    """

    prompts: ClassVar[tuple[str, ...]] = ()

    seed: int = Field(0, ge=0, description="seed of what is drawn here, and of the teacher's draws")
    max_tokens: int = Field(256, ge=1, description="tokens of one answer, at most")

    def get_required_models(self) -> tuple[str, ...]:
        return ("teacher",)

    def compute_fingerprint(self) -> Any:
        """The prompts, so that rows are made anew when they are worded anew."""
        return {"prompts": list(self.prompts)}

    def build_teacher_request(self, system: str, user: str, draw: int = 0, shots: Iterable[Message] = (), **more: Any) -> ChatRequest:
        """A request of a system message, worked examples and a turn; `draw` tells requests of the same words apart."""
        messages = (Message("system", system), *shots, Message("user", user))
        return ChatRequest(messages, max_tokens=self.max_tokens, sample_index=self.seed * SAMPLES_PER_SEED + draw, **more)

    def build_provenance_detail(self, reply: ChatResponse, **more: Any) -> dict[str, Any]:
        """Who made a row and by which request, for its provenance."""
        return {"model": reply.model, "prompt": reply.prompt_digest, "seed": self.seed, **more}


def ask_teacher(job: RowsJob, asks: Iterable[tuple[T, ChatRequest]], tally: Tally) -> Iterator[tuple[T, ChatResponse]]:
    """Each thing with the reply to its request, in order. One that failed or was declined is counted and left out."""
    about = list(asks)
    if not about:
        return
    replies = job.get_teacher().ask([ask for _, ask in about], job.report)
    for (thing, ask), reply in zip(about, replies, strict=True):
        if reply.error:
            tally.count_refusal(f"answers failed: {reply.error.splitlines()[0][:60]}")
        elif ask.schema is None and not ask.choices and REFUSAL_PATTERN.match(reply.text):
            tally.count_refusal("were declined", reply.text)
        else:
            yield thing, reply


def strip_chat_wrapping(text: str, lead: str = "") -> str:
    """What a model says without what models put around it: a fence, quotes, a preamble, the prompt's last words."""
    text = text.strip()
    found = CHATTY_PREAMBLE.match(text)
    text = text[found.end() :] if found else text
    fenced = FENCED_TEXT.fullmatch(text)
    text = (fenced.group(1) if fenced else text).strip()
    if lead and text.lower().startswith(lead.lower()):
        text = text[len(lead) :].strip()
    if len(text) > 1 and QUOTE_PAIRS.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return text
