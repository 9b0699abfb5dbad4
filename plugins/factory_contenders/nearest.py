"""The answer of the nearest training row: what looking up an old case would give, without any model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from factory.api import Answer, AnswerJob, Contender, Row, Task
from factory_contenders.few_shot import FewShotSelector, fit_tfidf_embedder

WORD = re.compile(r"\w+(?:[.,:/-]\w+)*")
"""A word or a number, with what stands between its digits or letters."""


class Nearest(Contender):
    """Answers with the answer of the training row whose text is nearest, by TF-IDF of characters.

    Words of that answer which its own text has, and this text has exchanged for others, are exchanged likewise, if
    that scores better on validation rows: "orders over 20" becomes "orders over 50".
    """

    kind = "nearest"
    output_type = "text"
    uses_validation_score = True

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        def get_text(row: Row) -> str:
            return str(row[job.task.text_column])

        selector = FewShotSelector(job.train, get_text, fit_tfidf_embedder([*map(get_text, job.train)]), job.seed)

        def answer_rows(rows: Sequence[Row], exchange: bool) -> list[Answer]:
            nearest = [found[0] for found in selector.select_nearest(rows, 1)]
            return [_adapt_answer(job.task, row, old, exchange) for row, old in zip(rows, nearest, strict=True)]

        scores = {
            exchange: job.compute_validation_score(job.validation, answer_rows(job.validation, exchange))
            for exchange in (False, True)
        } if job.validation else {}
        exchange = scores.get(True, 0.0) > scores.get(False, 0.0)
        job.record_facts(exchanged=exchange, validation={
            "exchanged" if key else "as it stands": round(score, 4) for key, score in scores.items()
        })
        yield from answer_rows(job.rows, exchange)


def _adapt_answer(task: Task, row: Row, old: Row, exchange: bool) -> Answer:
    """Return the answer of an old row, for a row with a similar text."""
    answer = task.render_target(old)
    if exchange:
        exchanged = find_exchanged_words(str(old[task.text_column]), str(row[task.text_column]))
        answer = WORD.sub(lambda found: exchanged.get(found[0].casefold(), found[0]), answer)
    return Answer(row.id, answer)


def find_exchanged_words(old: str, new: str) -> dict[str, str]:
    """Return the words of the old text (in lower case) that stand in the new one's place of others, word by word."""
    before, after = WORD.findall(old), WORD.findall(new)
    matcher = SequenceMatcher(None, [word.casefold() for word in before], [word.casefold() for word in after], False)
    return {
        word.casefold(): other
        for action, start, end, low, high in matcher.get_opcodes() if action == "replace" and end - start == high - low
        for word, other in zip(before[start:end], after[low:high], strict=True)
    }
