"""A language model as the judge of answers, held against each other in pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from factory.api import Eval, Metric, Row, ScoreJob, Scores
from factory_evals import judge_bias
from factory_evals.judged_pairs import AnswerPair, JudgedPair, judge_pairs
from factory_evals.text_answers import get_right_answer, get_text_answer

KNOWN_PAIRS = "judged pairs"
"""Where the job's scratch keeps what the judge said."""


class Judge(Eval):
    """Whether `models.judge` prefers an answer to tuned's: 1, or 0 if it prefers tuned's, or 0.5 for a tie.

    Each pair is shown in both orders; if the judge contradicts itself, the pair is a tie. Tuned's own value is 0.5, so
    that the gate's difference is the share of comparisons that tuned wins beyond one half. Without tuned's answers, as
    on validation rows, an answer is held against the right one.

    A judge has tastes. The totals say how often it prefers what is shown first (0.5 without bias) or the longer answer,
    how often position alone decides, and the share of wins that would be left at equal lengths (arXiv:2404.04475),
    which `gate.metric` may name. Where rows have a `rejected` answer beside the right one, people chose:
    `judge_agreement` is how often it chooses as they did, ties as one half. Beside an eval that follows a rule, a judge
    decides only if `gate.metric` says so.
    """

    kind = "judge"
    output_type = "text"
    primary_metric = "judge_win"
    metrics = (Metric("judge_win", "share of comparisons with tuned's answer that the judge decides for it"),)
    total_metrics = (Metric("judge_win_at_equal_length", "the same, as if both answers were of one length"),)
    uses_task = True
    compares_with_tuned = True
    is_opinion = True

    criteria: str = Field("", description="what makes an answer good, added to the question to the judge")

    def get_required_models(self) -> tuple[str, ...]:
        return ("judge",)

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row, judged in zip(job.rows, self._judge_answers(job), strict=True):
            yield Scores(row.id, {"judge_win": judged.win})

    def compute_totals(self, job: ScoreJob) -> Mapping[str, float]:
        judged, chosen = self._judge_answers(job), self._judge_human_choices(job)
        found = {
            "judge_win_at_equal_length": judge_bias.compute_length_controlled_win_rate(judged),
            "judge_prefers_first": judge_bias.compute_first_share(judged),
            "judge_decided_by_position": judge_bias.compute_position_share(judged),
            "judge_prefers_longer": judge_bias.compute_longer_preference(judged),
            "judge_agreement": _average_wins(chosen),
        }
        return {name: value for name, value in found.items() if value is not None}

    def build_tables(self, job: ScoreJob) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return how the comparisons ended, and how the judge agrees with people, by the length of what they chose."""
        judged = self._judge_answers(job)
        asked = sum(bool(each.prefers_first) for each in judged)
        outcomes = {"won": 1.0, "lost": 0.0, "tied": 0.5}
        lines = [{name: sum(each.win == win for each in judged) for name, win in outcomes.items()} | {
            "contradictions": sum(each.is_decided_by_position for each in judged), "same text": len(judged) - asked,
            "no valid reply": sum(len(each.valid_votes) < len(each.prefers_first) for each in judged),
        }]
        agreements = _list_agreements(self._judge_human_choices(job))
        return {
            **({"judged comparisons": lines} if asked else {}),
            **({"judge and people": agreements} if agreements else {}),
        }

    def _judge_answers(self, job: ScoreJob) -> list[JudgedPair]:
        """Return the judgement of each row's answer beside tuned's, or beside the right one if there is no tuned."""
        pairs = []
        for row in job.rows:
            answer, opponent = get_text_answer(job, row), job.opponent.get(row.id)
            other = get_right_answer(job, row) if opponent is None else str(opponent.output)
            pairs.append(self._build_pair(job, row, answer, other))
        return self._ask_judge(job, pairs)

    def _judge_human_choices(self, job: ScoreJob) -> list[JudgedPair]:
        """Return the judgements of the pairs of answers between which people chose, the chosen answer first."""
        chosen = [row for row in job.rows if str(row.columns.get("rejected") or "").strip()]
        pairs = [self._build_pair(job, row, get_right_answer(job, row), str(row["rejected"])) for row in chosen]
        return self._ask_judge(job, pairs)

    def _build_pair(self, job: ScoreJob, row: Row, answer: str, other: str) -> AnswerPair:
        if job.task is None:
            raise ValueError("this job has no task, whose requests a judge has to know")
        request = "\n\n".join(message.content for message in job.task.render_messages(row))
        return AnswerPair(request, answer, other, self.criteria)

    def _ask_judge(self, job: ScoreJob, pairs: Sequence[AnswerPair]) -> list[JudgedPair]:
        known: dict[AnswerPair, JudgedPair] = job.scratch.setdefault(KNOWN_PAIRS, {})
        if all(pair in known or pair.is_same_text for pair in pairs):
            return [JudgedPair(pair) if pair.is_same_text else known[pair] for pair in pairs]
        return judge_pairs(pairs, job.get_teacher("judge"), job.report, known)


def _average_wins(judged: Sequence[JudgedPair]) -> float | None:
    return sum(each.win for each in judged) / len(judged) if judged else None


def _list_agreements(judged: Sequence[JudgedPair]) -> list[dict[str, Any]]:
    """Return how often the judge chooses as people did, over all pairs and by the length of the chosen answer."""
    shorter = [each for each in judged if each.length_difference < 0]
    longer = [each for each in judged if each.length_difference > 0]
    return [
        {"people chose": name, "pairs": len(part), "agreement": round(sum(each.win for each in part) / len(part), 4)}
        for name, part in (("all", judged), ("the shorter answer", shorter), ("the longer answer", longer)) if part
    ]
