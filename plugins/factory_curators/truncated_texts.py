"""Drop rows whose text breaks off."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pydantic import Field

from factory.api import Decision, Fraction, RowsJob
from factory_curators.common import Action, TextCurator, build_objection, get_row_text

FINISHED_END_PATTERN = re.compile(r"""[.!?…。！？؟۔।:;)\]}"'”’»>*`|]\s*$""")
"""End of a finished text: a full stop, a closing mark, or the end of a list, table or code."""
CUT_END_PATTERN = re.compile(r"(?:\s-|\w-|,|(?<![:;=8xX-])[(\[{“«])\s*$")
"""End of a truncated text: a dash, a comma, or an opening mark that is no emoticon."""
UNFINISHED_WORDS = {"an", "the", "and", "or", "but", "because", "than", "if", "und", "oder", "et", "el", "los", "les"}
"""Words that hardly ever end a sentence."""
LETTERS_PATTERN = re.compile(r"[^\W\d_]+")
LAST_WORD_PATTERN = re.compile(r"(?:^|\s)([^\W\d_]+)$")
MIN_WORD_COUNT, MIN_FRAGMENT_LETTERS = 3, 4
"""Occurrences that make a word known, and shortest fragment of one, in letters."""
MIN_SENTENCE_WORDS = 4
"""Shortest text that counts as a sentence and needs punctuation, in words."""


class TruncatedTexts(TextCurator):
    """Drops texts that break off: after a comma or `the`, or within a word that occurs whole in other texts.

    If at least `min_finished_ratio` of the texts end with punctuation, sentences that do not are dropped too. If fewer
    do (search queries, titles), missing punctuation is ignored.
    """

    kind = "truncated"
    share_metric = "truncated"

    min_finished_ratio: Fraction = Field(
        0.95, description="share of texts with final punctuation from which the others count as truncated"
    )
    action: Action = Field("drop", description="drop truncated rows, or keep them flagged for review")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        texts = [get_row_text(row, job, self.text_columns).rstrip() for row in job.rows]
        finished = sum(bool(FINISHED_END_PATTERN.search(text)) for text in texts)
        strict = bool(texts) and finished >= self.min_finished_ratio * len(texts)
        fragments = _find_word_fragments(texts)
        for row, text in zip(job.rows, texts, strict=True):
            why = _describe_truncation(text, strict, fragments)
            yield build_objection(row, why, self.action) if why else Decision(row.id, True)


def _describe_truncation(text: str, strict: bool, fragments: set[str]) -> str:
    last = _read_last_word(text)
    if CUT_END_PATTERN.search(text):
        return "ends with a dash, comma or opening mark"
    if last in UNFINISHED_WORDS:
        return f"ends with {last!r}"
    if last in fragments:
        return f"ends within a word: {last!r}"
    is_unfinished = strict and not FINISHED_END_PATTERN.search(text) and len(text.split()) >= MIN_SENTENCE_WORDS
    return "has no final punctuation, unlike most texts" if is_unfinished else ""


def _find_word_fragments(texts: list[str]) -> set[str]:
    """Return the last words that occur nowhere else, and with which frequent words begin."""
    counts = Counter(word for text in texts for word in LETTERS_PATTERN.findall(text.lower()))
    rare = {word for word in map(_read_last_word, texts) if len(word) >= MIN_FRAGMENT_LETTERS and counts[word] == 1}
    frequent = [word for word, count in counts.items() if count >= MIN_WORD_COUNT]
    return rare & {word[:size] for word in frequent for size in range(MIN_FRAGMENT_LETTERS, len(word))}


def _read_last_word(text: str) -> str:
    match = LAST_WORD_PATTERN.search(text[-80:])
    return match.group(1).lower() if match else ""
