"""Forgetting probe: small general suites, answered by the base and by the tuned model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from factory.api import Decoder, Input, Probe, ProbeJob, ProbeResult, read_numbered_jsonl
from factory_general.multiple_choice_items import MultipleChoiceItem, read_items

if TYPE_CHECKING:
    from torch import Tensor

OWN_SUITE_PATH = Path(__file__).with_name("own.jsonl")
"""514 items, written for this project, under its licence: knowledge, common sense, arithmetic, grammar, word meaning,
reading, cause and effect, order, units and time."""
PLAIN_TEXTS_PATH = Path(__file__).with_name("plain.jsonl")
"""Short texts of many kinds, written for this project, on which next-token predictions are compared."""


class GeneralProbe(Probe):
    """Measures forgetting: multiple choice by log-probability, and the divergence of predictions on plain text.

    A suite is a JSONL file with the fields `good` and `bad`, two sentences (blimp); `question`, `choices` and `answer`,
    the index of the correct choice from 0 (commonsenseqa); or `question`, `solution` and `answer`, a whole number
    (gsm8k), to which wrong numbers are added. The built-in suite and most others run whole by default: a sample of 150
    would exclude a fall of 5 points only while no more than ten answers change.
    """

    kind = "general"
    version = 2
    output_type = "text"

    own: bool = Field(True, description="run the built-in suite of 514 items")
    blimp: Annotated[Path | None, Input()] = Field(None, description="JSONL file of sentence pairs, good and bad")
    commonsenseqa: Annotated[Path | None, Input()] = Field(None, description="JSONL file of multiple-choice questions")
    gsm8k: Annotated[Path | None, Input()] = Field(None, description="JSONL file of arithmetic word problems")
    items: int = Field(600, ge=10, description="maximum items per suite, sampled with the gate's seed")

    def probe(self, job: ProbeJob) -> Iterator[ProbeResult]:
        named = {"blimp": self.blimp, "commonsenseqa": self.commonsenseqa, "gsm8k": self.gsm8k}
        suites = {"own": OWN_SUITE_PATH} if self.own else {}
        suites |= {name: job.root / path for name, path in named.items() if path is not None}
        items = [item for name, path in suites.items() for item in read_items(path, name, self.items, job.seed)]
        if not items:
            raise ValueError("no suite to run; set `own: true`, or give the path of a suite")
        base = score_items(job.kit.load_decoder(job.base), items, job)
        tuned = score_items(job.kit.load_decoder(job.base, job.artifact), items, job)
        for item, before, after in zip(items, base, tuned, strict=True):
            yield ProbeResult(item.id, item.suite, before, after)

    def compute_drift(self, job: ProbeJob) -> Mapping[str, float]:
        """Return `kl`: the mean KL divergence of next-token predictions, base from tuned, in nats per token."""
        texts = [str(record["text"]) for _, record in read_numbered_jsonl(PLAIN_TEXTS_PATH, PLAIN_TEXTS_PATH.name)]
        base, tuned = job.kit.load_decoder(job.base), job.kit.load_decoder(job.base, job.artifact)
        total, tokens = 0.0, 0
        for done, text in enumerate(texts, 1):
            ids = encode_with_start_token(base, text)
            divergence = compute_mean_kl(base.compute_token_logits([ids])[0], tuned.compute_token_logits([ids])[0])
            total, tokens = total + divergence * len(ids), tokens + len(ids)
            job.report.report_progress(done, len(texts), "texts")
        return {"kl": total / tokens}


def score_items(decoder: Decoder, items: Sequence[MultipleChoiceItem], job: ProbeJob) -> list[float]:
    """Return 1.0 for each item whose correct option is more likely than every wrong one, else 0.0."""
    prompts = [encode_with_start_token(decoder, item.prefix) for item in items]
    options = [[_encode_plain_text(decoder, option) for option in item.options] for item in items]
    logprobs = decoder.compute_choice_logprobs(prompts, options, job.report)
    results = []
    for item, tokens, sums in zip(items, options, logprobs, strict=True):
        scores = [total / (len(ids) if item.per_token else 1) for total, ids in zip(sums, tokens, strict=True)]
        best_wrong = max(score for index, score in enumerate(scores) if index != item.correct_index)
        results.append(float(scores[item.correct_index] > best_wrong))
    return results


def encode_with_start_token(decoder: Decoder, text: str) -> list[int]:
    """Return the token ids of a text after the BOS token, or the EOS token where the base has no BOS."""
    tokenizer = decoder.tokenizer
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return [start, *_encode_plain_text(decoder, text)]


def compute_mean_kl(base: Tensor, tuned: Tensor) -> float:
    """Return the mean over tokens of KL(base ‖ tuned), from logits (tokens, vocabulary)."""
    base_logprobs, tuned_logprobs = base.log_softmax(-1), tuned.log_softmax(-1)
    return float((base_logprobs.exp() * (base_logprobs - tuned_logprobs)).sum(-1).mean())


def _encode_plain_text(decoder: Decoder, text: str) -> list[int]:
    return list(decoder.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []
