"""Drop rows whose text breaks off, where the others end as texts do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, Fraction, RowsJob
from factory_curators.common import TEXT_COLUMNS_DESCRIPTION, Action, build_objection, get_row_text

FINISHED_END_PATTERN = re.compile(r"""[.!?…。！？؟۔।:;)\]}"'”’»>*`|]\s*$""")
"""How a finished text ends: a sentence's end, a closing mark, or the end of a list, a table or code."""
CUT_END_PATTERN = re.compile(r"(?:\s-|\w-|,|(?<![:;=8xX-])[(\[{“«])\s*$")
"""How a text ends that was cut: after a dash, a comma, or an opening mark."""
UNFINISHED_LAST_WORDS = {
    "an", "the", "and", "or", "but", "because", "than", "if", "und", "oder", "et", "el", "los", "les"
}
"""Words that hardly a sentence ends with."""
LETTERS_PATTERN = re.compile(r"[^\W\d_]+")
LAST_WORD_PATTERN = re.compile(r"(?:^|\s)([^\W\d_]+)$")
MIN_WORD_COUNT, MIN_FRAGMENT_LETTERS = 3, 4
"""Times that a word must stand elsewhere to be known for whole, and letters of a piece that is known for one."""
MIN_SENTENCE_WORDS = 4
"""Words from which a text is held to be a sentence, which has an end."""


class TruncatedTexts(Curator):
    """Drops a text that ends in the middle: after a comma or `the`, or in a piece of a word that others have whole.

    Where most texts (`most`) end with a full stop or its like, one without an end goes too. Where most have none
    (search queries, titles), only the other signs count.
    """

    kind = "truncated"
    share_metric = "truncated"

    most: Fraction = Field(0.95, description="share of texts with an end from which one without is held to be cut")
    on: list[str] = Field([], description=TEXT_COLUMNS_DESCRIPTION)
    action: Action = Field("drop", description="drop such rows, or keep them flagged for review")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        texts = [get_row_text(row, job, self.on).rstrip() for row in job.rows]
        ended = sum(bool(FINISHED_END_PATTERN.search(text)) for text in texts)
        strict = bool(texts) and ended >= self.most * len(texts)
        begun = _find_word_fragments(texts)
        for row, text in zip(job.rows, texts, strict=True):
            why = _describe_truncation(text, strict, begun)
            yield build_objection(row, why, self.action) if why else Decision(row.id, True)


def _describe_truncation(text: str, strict: bool, begun: set[str]) -> str:
    last = _read_last_word(text)
    if CUT_END_PATTERN.search(text):
        return "breaks off after a mark that something follows"
    if last in UNFINISHED_LAST_WORDS:
        return f"breaks off after {last!r}"
    if last in begun:
        return f"breaks off in a word: {last!r}"
    unended = strict and not FINISHED_END_PATTERN.search(text) and len(text.split()) >= MIN_SENTENCE_WORDS
    return "has no end, where most texts have one" if unended else ""


def _find_word_fragments(texts: list[str]) -> set[str]:
    """Last words that are seen nowhere else, and that words of these texts, seen often, begin with."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(LETTERS_PATTERN.findall(text.lower()))
    lasts = {word for text in texts if len(word := _read_last_word(text)) >= MIN_FRAGMENT_LETTERS and counts[word] == 1}
    whole = {
        word[:size] for word,
        count in counts.items() if count >= MIN_WORD_COUNT for size in range(MIN_FRAGMENT_LETTERS, len(word))
    }
    return lasts & whole


def _read_last_word(text: str) -> str:
    found = LAST_WORD_PATTERN.search(text[-80:])
    return found.group(1).lower() if found else ""
