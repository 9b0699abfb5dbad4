"""The dialogues that the repository owns: enough, varied, and as their README says."""

from collections import Counter
from functools import cache

from places import ROOT
from tiny_parts import Voice

from factory.api import Job, Row, normalise
from factory.data.rows import read_jsonl
from factory_rewrite.conversations import Conversations
from factory_rewrite.task import classify_reference

SPECS = ROOT / "specs"
FILE = "query-rewriter/dialogues.jsonl"


@cache
def rows() -> tuple[Row, ...]:
    found = Conversations(file=FILE).iter_rows(Job(7, Voice(), SPECS))  # type: ignore[arg-type]
    return tuple(row for row in found if not row.table)


def standalone(row: Row) -> bool:
    return normalise(row["question"]) == normalise(row["rewrite"])


def test_there_are_enough_rows_and_the_readme_counts_them() -> None:
    dialogues = list(read_jsonl(SPECS / FILE))
    readme = (SPECS / "query-rewriter" / "README.md").read_text()
    assert len(rows()) >= 500 and len(dialogues) >= 150
    counts = (len(dialogues), sum(len(dialogue["turns"]) for dialogue in dialogues), len(rows()))
    assert all(f"{count} " in readme for count in counts), counts


def test_no_topic_and_no_answer_comes_twice() -> None:
    dialogues = list(read_jsonl(SPECS / FILE))
    topics = Counter(normalise(dialogue["topic"]) for dialogue in dialogues)
    answers = Counter(normalise(turn["answer"]) for dialogue in dialogues for turn in dialogue["turns"])
    assert topics.most_common(1)[0][1] == 1 and len({dialogue["id"] for dialogue in dialogues}) == len(dialogues)
    assert answers.most_common(1)[0][1] == 1


def test_every_dialogue_opens_with_a_question_that_stands_by_itself() -> None:
    for dialogue in read_jsonl(SPECS / FILE):
        assert len(dialogue["turns"]) >= 4 and dialogue["turns"][0]["question"] == dialogue["turns"][0]["rewrite"]


def test_about_one_in_eight_needs_nothing_and_every_kind_of_lack_occurs() -> None:
    assert 0.10 <= sum(map(standalone, rows())) / len(rows()) <= 0.16
    kinds = Counter(classify_reference(row["question"]) for row in rows() if not standalone(row))
    assert len(kinds) == 4 and min(kinds.values()) >= 50


def test_rewrites_add_and_never_grow_wild() -> None:
    for row in rows():
        assert len(row["rewrite"].split()) <= 22 and row["rewrite"].strip() == row["rewrite"]
        assert row["rewrite"].endswith(("?", ".")), row["rewrite"]
