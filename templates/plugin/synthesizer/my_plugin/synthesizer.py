"""More training rows: the same texts as people write them in a hurry."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pydantic import Field

from factory.api import Fraction, Row, RowsJob, Synthesizer, make_synthetic_row


class MyPlugin(Synthesizer):
    """Adds a copy of some rows with two neighbouring letters of one word swapped; the label stays."""

    kind = "my-plugin"
    contract = 1
    columns = ("text",)

    share: Fraction = Field(0.5, description="share of the rows that get a copy")

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        for done, row in enumerate(job.rows, 1):
            job.report.report_progress(done, len(job.rows))
            # Seeded by the spec's seed and the row's id: the same rows come out whatever their order is.
            draw = random.Random(f"{job.seed} {row.id}")
            if draw.random() >= self.share:
                continue
            typo = swapped(str(row["text"]), draw)
            if typo != row["text"]:
                # `make_synthetic_row` gives the copy an id from its content, its parent's group, and a provenance.
                yield make_synthetic_row(self.kind, {**row.columns, "text": typo}, [row], seed=job.seed)


def swapped(text: str, draw: random.Random) -> str:
    """The text with two letters inside one of its longer words swapped; itself when no word is long enough."""
    words = text.split(" ")
    long = [place for place, word in enumerate(words) if len(word) > 3]
    if not long:
        return text
    place = draw.choice(long)
    word, at = words[place], draw.randrange(1, len(words[place]) - 2)
    words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)
