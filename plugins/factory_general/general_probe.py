"""Whether training for one thing cost the model others: small suites asked of the base and of the tuned model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from factory.api import Decoder, Input, Probe, ProbeJob, ProbeResult, read_numbered_jsonl
from factory_general.multiple_choice_items import MultipleChoiceItem, read_items

if TYPE_CHECKING:
    from torch import Tensor

HERE = Path(__file__).parent
OWN_SUITE_PATH = HERE / "own.jsonl"
"""Knowledge, common sense, arithmetic and grammar: 120 items written for this project, under its licence."""

PLAIN_TEXTS_PATH = HERE / "plain.jsonl"
"""Short texts of many kinds, written for this project, on which predictions are compared."""


class GeneralProbe(Probe):
    """Multiple choice by log-probability, and how far the tuned model's predictions are from the base's on plain text.

    A suite is a JSONL file of `good`/`bad` sentences (blimp), of `question`, `choices` and the place of the `answer`
    (commonsenseqa), or of `question`, `solution` and a whole number as `answer` (gsm8k), which then stands among
    wrong ones.
    """

    kind = "general"
    output_type = "text"

    own: bool = Field(True, description="whether the project's own suite of 120 items is asked")
    blimp: Annotated[Path | None, Input()] = Field(None, description="pairs of sentences, relative to the spec")
    commonsenseqa: Annotated[Path | None, Input()] = Field(None, description="questions with choices")
    gsm8k: Annotated[Path | None, Input()] = Field(None, description="sums in words with worked solutions")
    items: int = Field(150, ge=10, description="items of a suite, at most; drawn with the gate's seed")

    def probe(self, job: ProbeJob) -> Iterator[ProbeResult]:
        items = self._load_probe_suites(job)
        if not items:
            raise ValueError("no suite to ask; set own: true, or give one by path")
        base = score_items(job.kit.load_decoder(job.base), items, job)
        tuned = score_items(job.kit.load_decoder(job.base, job.adapter), items, job)
        for item, before, after in zip(items, base, tuned, strict=True):
            yield ProbeResult(item.id, item.suite, before, after)

    def compute_drift(self, job: ProbeJob) -> Mapping[str, float]:
        """`kl`: the mean divergence of the tuned model's next-token predictions from the base's, in nats a token."""
        texts = [str(record["text"]) for _, record in read_numbered_jsonl(PLAIN_TEXTS_PATH, PLAIN_TEXTS_PATH.name)]
        base, tuned = job.kit.load_decoder(job.base), job.kit.load_decoder(job.base, job.adapter)
        total, tokens = 0.0, 0
        for done, text in enumerate(texts, 1):
            ids = encode_with_start_token(base, text)
            apart = compute_mean_kl(base.compute_token_logits([ids])[0], tuned.compute_token_logits([ids])[0])
            total, tokens = total + apart * len(ids), tokens + len(ids)
            job.report.report_progress(done, len(texts), "texts")
        return {"kl": total / tokens}

    def _load_probe_suites(self, job: ProbeJob) -> list[MultipleChoiceItem]:
        named = {"blimp": self.blimp, "commonsenseqa": self.commonsenseqa, "gsm8k": self.gsm8k}
        suites = {"own": OWN_SUITE_PATH} if self.own else {}
        suites |= {name: job.root / path for name, path in named.items() if path is not None}
        return [item for name, path in suites.items() for item in read_items(path, name, self.items, job.seed)]


def score_items(decoder: Decoder, items: Sequence[MultipleChoiceItem], job: ProbeJob) -> list[float]:
    """1 for each item whose right option is the likeliest one, else 0. A tie with a wrong option is no knowledge."""
    prompts = [encode_with_start_token(decoder, item.prefix) for item in items]
    options = [[_encode_plain_text(decoder, option) for option in item.options] for item in items]
    found = []
    for item, sizes, weights in zip(
        items, options, decoder.compute_choice_logprobs(prompts, options, job.report), strict=True
    ):
        worth = [weight / (len(ids) if item.per_token else 1) for weight, ids in zip(weights, sizes, strict=True)]
        wrong = max(each for place, each in enumerate(worth) if place != item.correct_index)
        found.append(float(worth[item.correct_index] > wrong))
    return found


def encode_with_start_token(decoder: Decoder, text: str) -> list[int]:
    """Token ids of a text from its beginning, with the token that the base knows beginnings by."""
    tokenizer = decoder.tokenizer
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return [first, *_encode_plain_text(decoder, text)]


def compute_mean_kl(base: Tensor, tuned: Tensor) -> float:
    """The mean over tokens of KL(base ‖ tuned), from logits of (tokens, vocabulary)."""
    first, second = base.log_softmax(-1), tuned.log_softmax(-1)
    return float((first.exp() * (first - second)).sum(-1).mean())


def _encode_plain_text(decoder: Decoder, text: str) -> list[int]:
    return list(decoder.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []
