"""Documents of continued pre-training leak if they contain the text of a frozen row, whole or nearly."""

from __future__ import annotations

import pytest

from factory.api import Provenance, Row
from factory.data.leakage import NEAR, LeakageCriteria, build_leakage_proof, find_leaks

QUESTION = "Which of the two drugs lowered the pressure more in patients above seventy years of age?"
FILLER = "The trial ran for two years in four towns. " * 30
CRITERIA = LeakageCriteria(("question", "text"), 0.8, documents=True)


def document(name: str, text: str) -> Row:
    return Row(name, {"text": text}, Provenance("here"))


FROZEN = [
    Row("q1", {"question": QUESTION}, Provenance("here"), split="test"),
    Row("q2", {"question": "Which drug?"}, Provenance("here"), split="validation"),
]


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        (f"{FILLER}{QUESTION} {FILLER}", True),
        (f"{FILLER}{QUESTION.upper().replace('?', ' …')} {FILLER}", True),
        (f"{FILLER}{QUESTION.replace('Which of the', 'What of the')} {FILLER}", True),
        (f"{FILLER}Which of the two drugs lowered the pressure more was not asked. {FILLER}", False),
        (f"{FILLER}Which drug? {FILLER}", False),
        (FILLER, False),
    ],
    ids=["whole", "other case", "a word changed", "a part", "a short text", "nothing"],
)
def test_a_document_that_contains_a_frozen_text_leaks(text: str, leaks: bool) -> None:
    rows = [document("d1", text), document("d2", FILLER.replace("trial", "study"))]
    found = find_leaks(rows, FROZEN, CRITERIA)
    assert [(leak.row, leak.frozen_row, leak.match_type) for leak in found] == [("d1", "q1", NEAR)] * leaks
    assert build_leakage_proof(rows, FROZEN, CRITERIA)["near"] == int(leaks)
    as_rows = LeakageCriteria(CRITERIA.text_columns, 0.8)
    assert find_leaks(rows, FROZEN, as_rows) == [], "compared as a whole, a long text resembles no question"
