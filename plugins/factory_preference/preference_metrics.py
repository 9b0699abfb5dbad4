"""Metrics of pairs: whether a contender prefers the answer that people chose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.api import Answer, Eval, Metric, Row, ScoreJob, Scores, normalise
from factory_preference.answer_soundness import list_sound_answers
from factory_preference.judged_answers import CHOSEN, REJECTED

NO_PREFERENCE = 0.5


class PreferenceMetrics(Eval):
    """Whether a contender prefers the chosen answer of a pair to the rejected one.

    A model prefers the answer whose log-probability has grown more, or fallen less, against the untuned base. A tie
    counts as wrong, as in TRL: a model that has learnt nothing has 0.0, and the untuned base is scored by its own
    log-probability per token instead, so that it is a baseline. A contender that only writes texts prefers the answer
    that it writes, if it is one of the two; else it is a coin, with one half for each pair.

    The log-probabilities of both answers may fall while their margin grows, until the model writes nothing sensible.
    `sound` is therefore about what it writes, for a guard of the gate: `{metric: sound, within: 0.1}`.
    """

    kind = "preference"
    columns = ("prompt", "chosen", "rejected")
    output_type = "text"
    primary_metric = "preference"
    metrics = (
        Metric("preference", "whether the chosen answer gains more log-probability on the base than the rejected one"),
        Metric("preference_per_token", "the same, of the gains per token, which no length favours"),
        Metric("sound", "whether its own answer is not blank, no loop and no copy of the prompt", binary=True),
    )

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row, sound in zip(job.rows, list_sound_answers(job), strict=True):
            answer = job.answers[row.id]
            yield Scores(row.id, {
                "preference": compare_answers(row, answer), "sound": sound,
                "preference_per_token": compare_answers(row, answer, "_per_token"),
            })

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        """Return the preference over the pairs whose better answer is the shorter one, or the longer one."""
        return {f"preference_{name}": mean for name, _, mean in _average_by_length(job)}

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return the preference by the length of the better answer, and the mean scores of the chosen and rejected
        answers: of a tuned model, what each gained in log-probability."""
        lines: list[dict[str, Any]] = [
            {"better answer": name, "pairs": count, "preference": round(mean, 4)}
            for name, count, mean in _average_by_length(job)
        ]
        details = [answer.details for row in job.rows if (answer := job.answers[row.id]).details]
        if not details:
            return {"length of the better answer": lines}
        means = {name: sum(each[name] for each in details) / len(details) for name in (CHOSEN, REJECTED)}
        scores = [{"answer": name, "mean score": round(mean, 4)} for name, mean in means.items()]
        return {"length of the better answer": lines, "scores of given answers": scores}


def compare_answers(row: Row, answer: Answer, suffix: str = "") -> float:
    """Return 1.0 if a contender prefers the chosen answer of a row, 0.0 if not, and 0.5 if it has no preference."""
    if answer.details:
        return float(answer.details[CHOSEN + suffix] > answer.details[REJECTED + suffix])
    text, chosen, rejected = (normalise(str(each)) for each in (answer.output, row[CHOSEN], row[REJECTED]))
    if chosen == rejected or text not in (chosen, rejected):
        return NO_PREFERENCE
    return float(text == chosen)


def _average_by_length(job: ScoreJob) -> Iterator[tuple[str, int, float]]:
    """Yield the number of pairs whose better answer is the shorter, or the longer one, with the mean preference."""
    for name, sign in (("shorter", -1), ("longer", 1)):
        rows = [row for row in job.rows if sign * (len(str(row[CHOSEN])) - len(str(row[REJECTED]))) > 0]
        if rows:
            yield name, len(rows), sum(compare_answers(row, job.answers[row.id]) for row in rows) / len(rows)
