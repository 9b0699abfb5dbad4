"""The reward model task: a number for each answer to a prompt, by which the better answer has the higher one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from factory.api import Answer, Provenance, Row, RowsJob, is_blank
from factory_preference.assistant import JudgedAnswersTask
from factory_preference.judged_answers import CHOSEN, REJECTED

REWARDS = "rewards"
"""The output type of a reward model: a list with a number for each of the row's `answers`."""
REWARD_DEFAULTS: dict[str, Any] = {
    "objective": "reward",
    "data": {"curate": [{"kind": "exact", "text_columns": ["prompt", "chosen", "rejected"]}]},
    "contenders": ["tuned", "untuned", "by-length", "embedding-difference"],
    "evaluate": ["pairwise"],
    "targets": ["peft"],
    "train": {"learning_rate": 5e-4},
}


class RewardModel(JudgedAnswersTask):
    """Rewards each answer to a prompt with a number: the difference of two is the log-odds that people choose the one.

    A row has the better answer, `chosen`, and the worse one, `rejected`. Contenders see both as `answers`, in the order
    of the alphabet, so that no place is better. A user's question has an `answer`, or several `answers`.
    """

    kind = "reward-model"
    added_columns = ("answers",)
    output_type = REWARDS

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return REWARD_DEFAULTS

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Yield every row with its answers."""
        for row in job.rows:
            known = "answers" in row.columns  # a user's question
            yield row if known else row.with_columns(answers=sorted((str(row[CHOSEN]), str(row[REJECTED]))))

    def build_expected_output(self, row: Row) -> list[float]:
        """Return 1 for the chosen answer and 0 for the other one."""
        return [float(text == row[CHOSEN]) for text in row["answers"]]

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """Describe a row by its prompt and the answers, a star at the chosen one, with their rewards if given."""
        rewards = [""] * len(row["answers"]) if answer is None else [f"{value:+.2f} " for value in answer.output]
        marks = ["*" if text == row.columns.get(CHOSEN) else " " for text in row["answers"]]
        lines = zip(marks, rewards, row["answers"], strict=True)
        return "\n".join([str(row["prompt"]), *(f"{mark} {reward}{text}" for mark, reward, text in lines)])

    def build_query_row(self, inputs: Mapping[str, Any]) -> Row:
        """Build a row from the prompt, `query`, and the `answer`, or several `answers`."""
        given = inputs.get("answers") or [inputs.get("answer")]
        answers = [given] if isinstance(given, str) else list(given)
        if not answers or not all(isinstance(text, str) and not is_blank(text) for text in answers):
            raise ValueError("answer: expected the text to reward, or several as answers")
        return Row("question", {**inputs, "prompt": inputs["query"], "answers": answers}, Provenance("the question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        return {**super().extract_query(row), "answers": list(row["answers"])}

    def format_answer(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer) -> str:
        """Format the answers with their rewards, the best one first."""
        ranked = sorted(zip(answer.output, row["answers"], strict=True), key=lambda pair: -pair[0])
        return "\n".join(f"{reward:+.3f}  {text}" for reward, text in ranked)
