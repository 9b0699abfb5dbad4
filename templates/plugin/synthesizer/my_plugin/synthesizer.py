"""A synthesizer: copies of training rows with typing errors."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pydantic import Field

from factory.api import Fraction, Row, RowsJob, Synthesizer, make_synthetic_row


class MyPlugin(Synthesizer):
    """Adds copies of rows in which two neighbouring letters of a word are swapped; the label stays."""

    kind = "my-plugin"
    contract = 2
    columns = ("text",)

    share: Fraction = Field(0.5, description="share of the rows that get a copy")

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        for done, row in enumerate(job.rows, 1):
            job.report.report_progress(done, len(job.rows))
            # Seeded with the spec's seed and the row's id: the output does not depend on the order of rows.
            draw = random.Random(f"{job.seed} {row.id}")
            if draw.random() >= self.share:
                continue
            typo = swap_letters(str(row["text"]), draw)
            if typo != row["text"]:
                # `make_synthetic_row` sets an id derived from the content, the parent's group, and the provenance.
                yield make_synthetic_row(self.kind, {**row.columns, "text": typo}, [row], seed=job.seed)


def swap_letters(text: str, draw: random.Random) -> str:
    """Swap two letters inside a word of four or more letters; return the text unchanged if there is none."""
    words = text.split(" ")
    long = [index for index, word in enumerate(words) if len(word) > 3]
    if not long:
        return text
    index = draw.choice(long)
    word, at = words[index], draw.randrange(1, len(words[index]) - 2)
    words[index] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)
