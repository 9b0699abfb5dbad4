"""A probe: what the model knew before training and should not forget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from factory.api import Decoder, Probe, ProbeJob, ProbeResult

SERIES = {
    "days": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "months": "January February March April May June July August September October November December",
    "numbers": "one two three four five six seven eight nine ten eleven twelve",
}


class MyPlugin(Probe):
    """Asks base and tuned model how well-known series go on: the right word must be the likeliest of three."""

    kind = "my-plugin"
    contract = 2
    output_type = "text"

    shown: int = Field(2, ge=1, le=4, description="words of a series that are shown before the one to guess")

    def probe(self, job: ProbeJob) -> Iterator[ProbeResult]:
        items = [(name, *item) for name, words in SERIES.items() for item in self.list_items(words.split())]
        base = score_items(job.kit.load_decoder(job.base), items)
        tuned = score_items(job.kit.load_decoder(job.base, job.artifact), items)
        for number, (item, before, after) in enumerate(zip(items, base, tuned, strict=True)):
            yield ProbeResult(f"{item[0]}-{number}", item[0], before, after)

    def list_items(self, words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield the start of a series, and three words of it, of which the first goes on."""
        for place in range(self.shown, len(words) - 2):
            start = ", ".join(words[place - self.shown : place]) + ","
            yield start, [f" {words[place]}", f" {words[place + 1]}", f" {words[place + 2]}"]


def score_items(decoder: Decoder, items: Sequence[tuple[str, str, list[str]]]) -> list[float]:
    """Return 1.0 for each item whose right word is likelier than both wrong ones, else 0.0."""
    prompts = [encode_text(decoder.tokenizer, start) for _, start, _ in items]
    options = [[encode_text(decoder.tokenizer, word) for word in words] for _, _, words in items]
    logprobs = decoder.compute_choice_logprobs(prompts, options)
    return [float(right > max(wrong)) for right, *wrong in logprobs]


def encode_text(tokenizer: Any, text: str) -> list[int]:
    """Return the token ids of a text alone, without special tokens."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
