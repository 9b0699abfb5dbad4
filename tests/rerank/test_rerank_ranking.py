"""The ranking metrics, against hand computation and scikit-learn."""

import math
import random
from pathlib import Path

import pytest
from rerank_parts import HERE, Voice

from factory.api import Answer, Row, ScoreJob
from factory_rerank.ranking_metrics import RankingMetrics, compute_ranking_metrics, rank_candidates


def row(candidates: list[str], relevant: dict[str, float]) -> Row:
    return Row("a", {"candidates": candidates, "relevant": relevant}, HERE)


def score(candidates: list[str], relevant: dict[str, float], output: list[float]) -> dict[str, float]:
    work = ScoreJob(7, Voice(), Path(), rows=[row(candidates, relevant)], answers={"a": Answer("a", output)})
    (scores,) = RankingMetrics().score(work)
    return dict(scores.values)


def test_every_metric_by_hand() -> None:
    found = score(["x", "y", "z"], {"y": 2, "z": 1, "missed": 1}, [0.9, 0.5, 0.1])
    ideal = 2 + 1 / math.log2(3) + 1 / 2
    assert found == pytest.approx({
        "ndcg@10": (2 / math.log2(3) + 1 / 2) / ideal, "mrr@10": 0.5, "accuracy@1": 0.0, "recall": 2 / 3,
        "ceiling": (2 + 1 / math.log2(3)) / ideal,
    })


def test_what_is_beyond_the_tenth_counts_for_recall_alone() -> None:
    candidates = [f"d{i}" for i in range(12)]
    found = score(candidates, {"d11": 1}, [float(-i) for i in range(12)])
    assert found == {"ndcg@10": 0.0, "mrr@10": 0.0, "accuracy@1": 0.0, "recall": 1.0, "ceiling": 1.0}


def test_no_candidate_at_all_is_worth_nothing() -> None:
    assert score([], {"x": 1}, []) == {"ndcg@10": 0, "mrr@10": 0, "accuracy@1": 0, "recall": 0, "ceiling": 0}


def test_equal_scores_keep_the_order_of_the_candidates() -> None:
    assert rank_candidates(row(["b", "a", "c"], {}), Answer("a", [1.0, 1.0, 2.0])) == ["c", "b", "a"]


def test_ndcg_is_scikit_learns() -> None:
    from sklearn.metrics import ndcg_score

    draw = random.Random(0)
    for _ in range(50):
        grades = [draw.choice([0, 0, 0, 1, 2, 3]) for _ in range(20)] + [1]
        scores = [draw.random() for _ in grades]
        order = [f"d{i}" for i in sorted(range(21), key=lambda i: -scores[i])]
        found = compute_ranking_metrics(order, {f"d{i}": grade for i, grade in enumerate(grades) if grade})
        assert found["ndcg@10"] == pytest.approx(ndcg_score([grades], [scores], k=10))
        assert found["ceiling"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ([1.0], r"row 'a': expected one score per candidate \(2\), got 1"),
        ([1.0, float("nan")], "row 'a': a score is not a finite number"),
    ],
)
def test_a_wrong_answer_is_named(output: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        score(["x", "y"], {"x": 1}, output)


@pytest.mark.parametrize(("candidates", "relevant", "said"), [
    (["x", "y", "x"], {"x": 1}, "row 'a': the candidates have 'x' twice"),
    (["x"], {}, "row 'a': no document is relevant"), (["x"], {"x": 0}, "row 'a': no document is relevant"),
])
def test_a_row_that_has_no_ranking_to_judge_is_named(
    candidates: list[str], relevant: dict[str, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        score(candidates, relevant, [1.0] * len(candidates))


def test_a_grade_of_zero_is_not_relevant() -> None:
    assert score(["x", "y"], {"x": 1, "y": 0}, [1.0, 0.5]) == score(["x", "y"], {"x": 1}, [1.0, 0.5])
    assert score(["x", "y"], {"x": 1, "z": 0}, [1.0, 0.5])["recall"] == 1


def test_the_values_are_those_of_ir_measures() -> None:
    import ir_measures
    from ir_measures import RR, R, nDCG

    draw = random.Random(1)
    for _ in range(100):
        documents = [f"d{i}" for i in range(30)]
        qrels = {name: draw.choice([0, 0, 1, 2, 3]) for name in draw.sample(documents, 12)} | {"d0": 1}
        candidates = draw.sample(documents, 20)
        scores = [draw.random() for _ in candidates]
        (theirs,) = [ir_measures.calc_aggregate(
            [nDCG @ 10, RR @ 10, R @ 20], {"q": qrels}, {"q": dict(zip(candidates, scores, strict=True))}
        )]
        found = score(candidates, qrels, scores)
        assert found["ndcg@10"] == pytest.approx(theirs[nDCG @ 10])
        assert found["mrr@10"] == pytest.approx(theirs[RR @ 10])
        assert found["recall"] == pytest.approx(theirs[R @ 20])
