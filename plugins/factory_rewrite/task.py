"""The query rewriting task: make a question of a conversation understandable on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from factory.api import Answer, Finding, Provenance, Row, RowsJob, Schedule, Task, is_blank, normalise
from factory.api.label_sets import refuse_row

INSTRUCTION = (
    "Rewrite the last question so that it can be understood without the conversation before it. Keep its words and add"
    " only what is missing. If nothing is missing, repeat it. Reply with the question alone."
)
QUESTION_MARKER, ANSWER_MARKER = "Q: ", "A: "
SPEAKER_MARKER = re.compile(r"(?:^|\s+)[QA]:\s+")
ELLIPSIS = re.compile(r"(and|or|what about|how about|why|why not|since when|how so)\b", re.IGNORECASE)
DEMONSTRATIVE = re.compile(
    r"\b(this|that|these|those|there|then|ones?|other|first|second|third|last|latter|same)\b", re.IGNORECASE
)
PRONOUN = re.compile(r"\b(it|its|he|him|his|she|her|hers|they|them|their|theirs|itself|themselves)\b", re.IGNORECASE)
MAX_ELLIPSIS_WORDS = 3
"""Questions of at most this many words, without a pronoun, count as elliptic."""

REWRITER_DEFAULTS: dict[str, Any] = {
    "objective": "completion",
    "data": {"curate": [{"kind": "exact", "text_columns": ["conversation"]}]},
    "contenders": ["tuned", "untuned", "prompted", "copy", "concatenate", "nearest"],
    "evaluate": ["rewriting"],
    "targets": ["peft"],
    "train": {"learning_rate": 1e-3},
}
SMOKE_PROFILE: dict[str, Any] = {
    "data": {"limit": 120, "split": {"test": 40, "validation": 16}}, "train": {"epochs": 1},
    "contenders": [
        "tuned", {"kind": "prompted", "shots": [0, 2], "selection": ["fixed"], "validation_rows": 8}, "copy",
    ],
    "gate": {"resamples": 2000},
}
"""Checks that a spec runs from start to end; the verdict is meaningless."""


class QueryRewriter(Task):
    """Rewrites a question with its history as one standalone question.

    `history` is a list of turns, questions and answers alternating, ending with an answer.
    """

    kind = "query-rewriter"
    columns = ("history", "question", "rewrite")
    added_columns = ("conversation",)
    output_type = "text"
    text_column = "conversation"
    schedule = Schedule(steps=50, least_epochs=2, most_epochs=6, batch_size=16)

    instruction: str = Field(INSTRUCTION, description="system message of the prompt")
    turns: int = Field(6, ge=0, description="number of last turns in the prompt; a question and its answer are two")
    opening: int = Field(2, ge=0, description="number of first turns always in the prompt; they often name the topic")
    words: int = Field(60, ge=1, description="maximum number of words per earlier turn")

    @classmethod
    def get_defaults(cls) -> dict[str, Any]:
        return REWRITER_DEFAULTS

    @classmethod
    def get_profiles(cls) -> dict[str, dict[str, Any]]:
        return {"smoke": SMOKE_PROFILE}

    def get_templates(self) -> dict[str, str]:
        return {"system": self.instruction, "prompt": "{conversation}", "target": "{rewrite}"}

    def prepare(self, job: RowsJob) -> Iterator[Row]:
        """Add the prompt's conversation: the shortened history with the question below it."""
        for row in job.rows:
            if wrong := [name for name in ("question", "rewrite") if not isinstance(row[name], str)]:
                refuse_row(row, f"{wrong[0]}: {type(row[wrong[0]]).__name__} where text is wanted; set one text")
            try:
                history = _parse_history(row["history"], f"row {row.id!r}")
            except ValueError as error:
                refuse_row(row, str(error))
            yield row.with_columns(conversation=self.render_conversation(history, row["question"]))

    def render_conversation(self, history: Sequence[str], question: str) -> str:
        """Render one line per turn: the opening and the last turns of the history, then the question."""
        last = max(self.opening, len(history) - self.turns)
        lines = []
        for number, turn in enumerate(history):
            if number < self.opening or number >= last:
                words = turn.split()
                # The parity counts from the end, so that the turn before the question is always an answer.
                marker = QUESTION_MARKER if number % 2 == len(history) % 2 else ANSWER_MARKER
                lines.append(marker + " ".join(words[: self.words]) + (" …" if len(words) > self.words else ""))
        return "\n".join([*lines, QUESTION_MARKER + " ".join(question.split())])

    def audit(self, job: RowsJob) -> Iterator[Finding]:
        for row in job.rows:
            if empty := [name for name in ("question", "rewrite") if is_blank(str(row[name]))]:
                yield Finding("empty", row.id, f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty")
            passages = job.tables.get("passages", {})
            missing = [name for name in row.columns.get("relevant", {}) if name not in passages]
            if passages and missing:
                yield Finding("missing", row.id, f"relevant passage {missing[0]!r} is not in the side table")

    def describe_row(self, row: Row, tables: Mapping[str, Mapping[str, Row]], answer: Answer | None) -> str:
        """Describe a row by its conversation, the answer, and the reference if it differs."""
        rewrite = row.columns.get("rewrite", "")
        lines = [*row["conversation"].splitlines(), f"→ {rewrite if answer is None else answer.output}"]
        if answer is not None and rewrite and normalise(answer.output) != normalise(rewrite):
            lines.append(f"* {rewrite}")
        return "\n  ".join(lines)

    def get_row_slices(self, row: Row) -> Mapping[str, str]:
        turns = len(row["history"]) // 2
        same = normalise(row["question"]) == normalise(row["rewrite"])
        return {
            "history": ("none", "1 exchange", "2–3 exchanges", "2–3 exchanges", "4 or more")[min(turns, 4)],
            "needs": "nothing" if same else "a rewrite",
            "refers by": "nothing" if same else classify_reference(row["question"]),
        }

    def build_query_row(self, inputs: Mapping[str, Any]) -> Row:
        """Build a row from `query` and `history`, a list of turns or a text with one turn per line.

        Without a history, a query that reads "Q: … A: … Q: …" is parsed as a whole conversation.
        """
        query, turns = str(inputs.get("query", "")).strip(), inputs.get("history") or []
        if not turns and query.startswith((QUESTION_MARKER, ANSWER_MARKER)):
            *turns, query = [turn for turn in SPEAKER_MARKER.split(query) if turn]
        if not query:
            raise ValueError("query: expected a text")
        if isinstance(turns, str):
            turns = [line for line in turns.splitlines() if line.strip()]
        history = _parse_history(turns, "the question")
        conversation = self.render_conversation(history, query)
        columns = {"history": history, "question": query, "rewrite": "", "conversation": conversation}
        return Row("question", columns, Provenance("question"))

    def extract_query(self, row: Row) -> Mapping[str, Any]:
        return {"query": row["question"], "history": list(row["history"])}


def classify_reference(question: str) -> str:
    """Guess from its words how a question refers to the conversation before it: a heuristic, often wrong."""
    if PRONOUN.search(question):
        return "a pronoun"
    if ELLIPSIS.match(question) or len(question.split()) <= MAX_ELLIPSIS_WORDS:
        return "an ellipsis"
    return "a demonstrative" if DEMONSTRATIVE.search(question) else "context alone"


def _parse_history(turns: Any, where: str) -> list[str]:
    """Return the turns as single lines. Raises ValueError if they are not a list of texts."""
    if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns):
        raise ValueError(f"{where}: history: expected a list of texts, questions and answers alternating")
    return [" ".join(turn.split()) for turn in turns]
