"""What an engineer would try first stands in the ring: an old answer with its words exchanged, trees on signals."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from prompted_parts import Shouting, job, rows
from rerank_parts import BASE, HERE, HashKit, Voice, documents

from factory.api import Answer, AnswerJob, Row, RowsJob
from factory_contenders.nearest import Nearest, find_exchanged_words
from factory_rerank.learning_to_rank import LearningToRank
from factory_rerank.ranking_metrics import compute_ranking_metrics, rank_candidates
from factory_rerank.task import Reranker

ORDERS = [
    ("How many orders are paid?", "SELECT COUNT(*) FROM orders WHERE status = 'paid'"),
    ("Show the names of customers in Vienna", "SELECT name FROM customers WHERE city = 'Vienna'"),
    ("List orders over 20 euros", "SELECT * FROM orders WHERE value > 20"),
]


def answer(validation: list[Row], *texts: str) -> tuple[list[str], AnswerJob]:
    asked = rows("t", *((text, "") for text in texts))
    work = job(Shouting(), rows=asked, train=rows("r", *ORDERS), validation=validation)
    return [str(each.output) for each in Nearest().answer(work)], work


def test_words_that_the_new_text_exchanges_are_exchanged_in_the_old_answer() -> None:
    validation = rows("v", ("List orders over 75 euros", "SELECT * FROM orders WHERE value > 75"))
    found, work = answer(
        validation, "How many orders are open?", "List orders over 12.50 euros", "Show the names of customers in Bern"
    )
    assert found == [
        "SELECT COUNT(*) FROM orders WHERE status = 'open'", "SELECT * FROM orders WHERE value > 12.50",
        "SELECT name FROM customers WHERE city = 'Bern'",
    ]
    assert work.facts == {"exchanged": True, "validation": {"as it stands": 0.0, "exchanged": 1.0}}


def test_an_answer_stands_as_it_is_where_exchanging_does_not_score_better() -> None:
    validation = rows("v", ("List orders over 75 euros", "SELECT * FROM orders WHERE value > 20"))
    for rows_at_hand in (validation, []):
        found, work = answer(rows_at_hand, "How many orders are open?")
        assert found == ["SELECT COUNT(*) FROM orders WHERE status = 'paid'"] and not work.facts["exchanged"]


@pytest.mark.parametrize(
    ("old", "new", "exchanged"),
    [
        ("orders over 20", "Orders over 50", {"20": "50"}),
        ("paid in May", "paid in June by card", {}),  # one word for three: none stands in the other's place
        ("due 2024-05-01, paid", "due 2025-06-02, open", {"2024-05-01": "2025-06-02", "paid": "open"}),
        ("the same", "the same", {}),
    ],
)
def test_which_words_stand_in_the_place_of_others(old: str, new: str, exchanged: dict[str, str]) -> None:
    assert find_exchanged_words(old, new) == exchanged


def prepare(queries: list[Row]) -> list[Row]:
    work = RowsJob(
        7, Voice(), Path(), {"documents": documents()}, HashKit,  # type: ignore[arg-type]
        rows=queries, base=BASE, task=Reranker(top_k=6),
    )
    return list(Reranker(top_k=6).prepare(work))


def ask_trees(asked: Sequence[Row], train: Sequence[Row], validation: Sequence[Row]) -> AnswerJob:
    return AnswerJob(
        7, Voice(), Path(), {"documents": documents()}, HashKit, rows=asked, train=train,  # type: ignore[arg-type]
        validation=validation, base=BASE, task=Reranker(top_k=6), objective=None, artifact=None,  # type: ignore[arg-type]
    )


def phrases(prefix: str, count: int, seed: int) -> list[Row]:
    """Queries of two words of a document, of which the last one is right, whatever BM25 says."""
    draw, made = random.Random(seed), []
    table = {name: row["text"].split() for name, row in documents().items()}
    for number in range(count):
        name = draw.choice(sorted(table))
        words = draw.sample(table[name], min(2, len(table[name])))
        made.append(Row(f"{prefix}{number}", {"query": " ".join(words).upper(), "relevant": {name: 1}}, HERE))
    return made


def test_the_trees_learn_from_the_candidates_of_the_training_rows() -> None:
    train, validation, asked = (prepare(phrases(*sizes)) for sizes in (("r", 120, 1), ("v", 20, 2), ("t", 40, 3)))
    work = ask_trees(asked, train, validation)

    def measure(answers: list[Answer]) -> float:
        values = [
            compute_ranking_metrics(rank_candidates(row, each), row["relevant"])["ndcg@10"]
            for row, each in zip(asked, answers, strict=True)
        ]
        return sum(values) / len(values)

    trees = list(LearningToRank(trees=40).answer(work))
    assert measure(trees) >= measure([Answer(row.id, row["signals"]["bm25"]) for row in asked])
    assert measure(trees) > 0.8
    assert all(0 <= value <= 1 for each in trees for value in each.output)
    assert str(work.facts["depth"]) in work.facts["validation"]
    assert list(LearningToRank(trees=40).answer(ask_trees(asked, train, validation))) == trees


def test_without_validation_rows_the_shallowest_trees_are_taken_and_a_row_without_candidates_is_no_error() -> None:
    train, asked = prepare(phrases("r", 60, 1)), prepare(phrases("t", 2, 3))
    bare = asked[0].with_columns(candidates=[], signals={"bm25": [], "cosine": [], "hybrid": []})
    work = ask_trees([bare, asked[1]], train, [])
    found = list(LearningToRank(trees=10).answer(work))
    assert found[0].output == [] and len(found[1].output) == len(asked[1]["candidates"])
    assert work.facts["depth"] == 2


def test_training_rows_without_a_relevant_candidate_are_an_error_that_says_what_to_do() -> None:
    train = [row.with_columns(relevant={"elsewhere": 1}) for row in prepare(phrases("r", 4, 1))]
    with pytest.raises(ValueError, match=r"no training row has a relevant document .*raise task\.top_k"):
        list(LearningToRank().answer(ask_trees(train, train, [])))
